from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import pre_delete


class UploadsConfig(AppConfig):
    name = "uploads"

    def ready(self) -> None:
        pre_delete.connect(discard_photos, sender=settings.AUTH_USER_MODEL)


def discard_photos(instance: Any, **kwargs: Any) -> None:
    """Takes a deleted account's photos along, however it is deleted."""
    for photo in instance.photos.live():
        photo.discard()
