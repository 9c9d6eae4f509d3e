from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from secure_django.deletion import Numbers, counts_rows
from secure_django.encryption import EncryptedTextField
from secure_django.photos.fields import PhotoField, everyone


class Role(models.TextChoices):
    READER = "reader", _("reader")
    EDITOR = "editor", _("editor")


class Member(models.Model):
    """A person with a role in a course."""

    course = models.ForeignKey(
        "Course", models.CASCADE, related_name="members", editable=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        verbose_name=_("user"),
    )
    role = models.CharField(_("role"), max_length=6, choices=Role)

    class Meta:
        unique_together = ("course", "user")

    def __str__(self) -> str:
        return f"Member {self.pk}"


class Course(models.Model):
    in_clear = {"title": "staff search it"}

    class Level(models.TextChoices):
        BEGINNER = "beginner", _("Beginner")
        ADVANCED = "advanced", _("Advanced")

    # Not editable: no form can set it.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        verbose_name=_("owner"),
        editable=False,
        null=True,
    )
    title = models.CharField(_("title"), max_length=120)
    start = models.DateField(_("start"), null=True, blank=True)
    price = models.DecimalField(
        _("price"),
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(0)],
        null=True,
        blank=True,
    )
    level = models.CharField(_("level"), max_length=30, choices=Level, blank=True)
    cover = PhotoField(
        _("cover"), blank=True, visible_to=everyone, stays_with_object=True
    )
    text = EncryptedTextField(_("text"), max_length=2000, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("courses:detail", args=[self.pk])


@receiver(post_delete, sender=settings.AUTH_USER_MODEL)
@receiver(post_delete, sender=Member)
def delete_what_nobody_has(**kwargs: Any) -> None:
    """Delete courses without an owner and without a helper."""
    Course.objects.filter(owner=None, members=None).delete()


@counts_rows(Course)
def count_courses(users: Any, _rows: Any) -> Numbers:
    """Return how many courses go with their owners, and how many stay."""
    courses = Course.objects.filter(owner__in=users)
    going = courses.filter(members=None).count()
    return Numbers(going, courses.count() - going)
