"""Moderation backends: who gives the verdicts on photos."""

from typing import cast

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.module_loading import import_string

from uploads.models import Photo, PhotoQuerySet
from uploads.moderation.rules import MANUAL


class StaffReviewBackend:
    """Photos wait in the admin for a reviewer. Other backends override these methods."""

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of the verdicts that a new photo needs."""
        return (MANUAL,)

    def schedule(self, photos: QuerySet[Photo]) -> None:
        """Note that a job has to process photos: they were created or reviewed, or their files are no longer needed.

        Callers do this in the transaction that changes the photos.
        """

    def deletable(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        """Return those of the deleted photos whose rows may go, since nothing is left to do for them."""
        return photos

    def overdue(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        """Return the photos that should have had a verdict by now, unless the worker or a service is down."""
        return photos.none()

    def with_image_urls(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        """Return photos with what `image_url` reads, so that it needs no query for each."""
        return photos

    def image_url(self, photo: Photo, variant: str) -> str:
        """Return the URL of an image. Callers ask only for viewers who may see the photo."""
        return reverse("uploads:file", args=[photo.id, variant])


def get_moderation_backend() -> StaffReviewBackend:
    return cast(StaffReviewBackend, import_string(settings.PHOTO_MODERATION_BACKEND)())
