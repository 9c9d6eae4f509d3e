from typing import Any

from django.conf import settings
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from uploads.services import delete_photos


@receiver(pre_delete, sender=settings.AUTH_USER_MODEL)
def delete_photos_of_user(instance: Any, **kwargs: Any) -> None:
    # Without the owner already: otherwise, Django would write every row a second time.
    delete_photos(instance.photos.all(), owner=None)
