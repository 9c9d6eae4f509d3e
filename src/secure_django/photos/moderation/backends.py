"""Moderation backends: who gives the verdicts on photos."""

from typing import cast

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.module_loading import import_string

from secure_django.photos.models import Photo, PhotoQuerySet
from secure_django.photos.moderation.rules import MANUAL

__all__ = ["StaffReviewBackend", "get_moderation_backend"]


class StaffReviewBackend:
    """Photos wait in the admin for a reviewer. Other backends override the methods."""

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of the verdicts that a new photo needs."""
        return (MANUAL,)

    def schedule(self, photos: QuerySet[Photo]) -> None:
        """Note that a job has to process photos.

        They were created or reviewed, or their files are no longer needed. Callers use
        the transaction that changes the photos.
        """

    def deletable(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        """Return the deleted photos whose rows may be deleted: no work remains."""
        return photos

    def overdue(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        """Return photos whose verdict is late: the worker or a service may be down."""
        return photos.none()

    def with_image_urls(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        """Return photos with what `image_url` reads, to save a query for each."""
        return photos

    def image_url(self, photo: Photo, variant: str) -> str:
        """Return an image's URL. Callers check that the viewer may see the photo."""
        return reverse("uploads:file", args=[photo.id, variant])


def get_moderation_backend() -> StaffReviewBackend:
    return cast(StaffReviewBackend, import_string(settings.PHOTO_MODERATION_BACKEND)())
