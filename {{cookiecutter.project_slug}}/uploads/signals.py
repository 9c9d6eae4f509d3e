from typing import Any

from django.conf import settings
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from uploads.services import delete_photo


@receiver(pre_delete, sender=settings.AUTH_USER_MODEL)
def delete_photos_of_user(instance: Any, **kwargs: Any) -> None:
    for photo in instance.photos.not_deleted():
        delete_photo(photo)
