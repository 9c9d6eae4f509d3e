"""Pictures of the gallery. Everyone sees one whose photo was approved."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Prefetch
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from secure_django.photos.fields import PhotoField, everyone
from secure_django.photos.models import Photo, Status
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.validators import validate_one_line


class PictureQuerySet(models.QuerySet["Picture"]):
    def published(self) -> Self:
        return self.filter(photo__status=Status.APPROVED)

    def with_photos(self) -> Self:
        """Return pictures with what pages show of their photos, in one more query."""
        photos = Photo.objects.defer("original_name")  # each would be decrypted
        photos = get_moderation_backend().with_image_urls(photos)
        return self.prefetch_related(Prefetch("photo", photos))


class Picture(models.Model):
    in_clear = {"title": "others see it"}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Not editable: no form can set it. Without an index of its own: one below begins
    # with it.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
        editable=False,
        db_index=False,
    )
    title = models.CharField(
        _("title"),
        max_length=120,
        help_text=_("Shown with the photo. Up to 120 characters."),
        validators=[validate_one_line],
    )
    photo = PhotoField(_("photo"), visible_to=everyone)
    created_at = models.DateTimeField(
        _("created"), default=timezone.now, editable=False
    )

    objects = PictureQuerySet.as_manager()

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")
        ordering = ("-created_at", "id")
        indexes = (
            models.Index(fields=["-created_at", "id"]),
            models.Index(fields=["owner", "-created_at", "id"]),
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("gallery:photo", args=[self.pk])
