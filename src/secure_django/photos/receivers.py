from typing import Any

from django.core.signals import request_finished
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from secure_django.photos.services import delete_photos, delete_unsaved_files
from secure_django.user import User


@receiver(pre_delete, sender=User)
def delete_photos_of_user(instance: User, **kwargs: Any) -> None:
    # Take the same lock as saving_photos: otherwise, an upload at this moment would
    # leave a photo without its owner.
    User.objects.select_for_update().filter(pk=instance.pk).first()
    delete_photos(instance.photos.all())


@receiver(request_finished)
def end_request(**kwargs: Any) -> None:
    delete_unsaved_files()
