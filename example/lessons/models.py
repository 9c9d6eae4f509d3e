from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from secure_django.encryption import EncryptedTextField

from courses.models import Course


class Lesson(models.Model):
    in_clear = {"title": "staff search it"}

    # Not editable: no form can set it.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
        editable=False,
    )
    title = models.CharField(_("title"), max_length=120)
    course = models.ForeignKey(
        Course,
        models.SET_NULL,
        related_name="+",
        verbose_name=_("course"),
        null=True,
        blank=True,
    )
    text = EncryptedTextField(_("text"), max_length=2000, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("lessons:detail", args=[self.pk])
