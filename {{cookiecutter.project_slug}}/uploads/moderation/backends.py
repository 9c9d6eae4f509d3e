"""Moderation backends: who gives the verdicts on photos."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple, cast

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from uploads.models import Photo, PhotoQuerySet
from uploads.moderation.rules import MANUAL, VerdictValue


class Outcome(NamedTuple):
    """The verdicts by kind that one pass found, and when the photo is due again (None: never)."""

    photo: Photo
    next_due: datetime | None
    verdicts: Mapping[str, VerdictValue] = {}
    reason: str = ""  # for the owner, if the photo is rejected


class StaffReviewBackend:
    """Photos wait in the admin for a reviewer. Other backends override these methods."""

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of the verdicts that a new photo needs."""
        return (MANUAL,)

    def next_due(self) -> datetime | None:
        """Return when the worker must process a photo that was created, reviewed or deleted (None: never)."""
        return None

    def process(self, photos: Sequence[Photo]) -> Iterator[Outcome]:
        """Take the next step for each due photo, and yield what it found."""
        return (Outcome(photo, next_due=None) for photo in photos)

    def prepare(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        """Return photos with what `image_url` reads, so that it needs no query for each."""
        return photos

    def image_url(self, photo: Photo, variant: str) -> str:
        """Return the URL of an image. Callers ask only for viewers who may see the photo."""
        return reverse("uploads:file", args=[photo.id, variant])


def next_attempt(photo: Photo) -> datetime:
    """Return when to process a photo again: the longer it has waited, the later."""
    now = timezone.now()
    return now + min(max((now - photo.created_at) / 2, timedelta(seconds=10)), timedelta(minutes=15))


def get_moderation_backend() -> StaffReviewBackend:
    return load_backend(settings.PHOTO_MODERATION_BACKEND)


@cache
def load_backend(path: str) -> StaffReviewBackend:
    return cast(StaffReviewBackend, import_string(path)())
