from collections.abc import Collection, Mapping
from typing import Any

from django.core.signals import request_finished
from django.db.models import Model
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from secure_django.deletion import Numbers, counts_rows
from secure_django.photos.fields import fields_of_shared_photos
from secure_django.photos.models import Photo
from secure_django.photos.services import (
    delete_photos,
    delete_unsaved_files,
    forget_owner,
)
from secure_django.user import User

# An attribute of a user who is being deleted.
STAYING = "_staying_photos"


@receiver(pre_delete, sender=User)
def delete_photos_of_user(instance: User, **kwargs: Any) -> None:
    # Take the same lock as saving_photos: otherwise, an upload at this moment would
    # leave a photo without its owner.
    User.objects.select_for_update().filter(pk=instance.pk).first()
    staying = list(instance.photos.staying().values_list("pk", flat=True))
    setattr(instance, STAYING, staying)
    delete_photos(instance.photos.exclude(pk__in=staying))


@receiver(post_delete, sender=User)
def keep_photos_of_others(instance: User, **kwargs: Any) -> None:
    """Keep photos with the objects that stay. Those of the user's own are gone now."""
    photos = Photo.objects.filter(pk__in=getattr(instance, STAYING, ()))
    unused = list(photos.unused().values_list("pk", flat=True))
    delete_photos(Photo.objects.filter(pk__in=unused))
    forget_owner(photos.exclude(pk__in=unused))


@counts_rows(Photo)
def count_photos(
    users: Collection[Any], going: Mapping[type[Model], Collection[Any]]
) -> Numbers:
    photos = Photo.objects.filter(owner__in=users).not_deleted()
    staying_ids: set[Any] = set()
    ids = list(photos.staying().values_list("pk", flat=True))
    for field in fields_of_shared_photos():
        objects = field.model._base_manager.filter(**{f"{field.name}__in": ids})
        staying_ids |= {
            photo_id
            for pk, photo_id in objects.values_list("pk", field.attname)
            if pk not in going.get(field.model, ())
        }
    return Numbers(photos.count() - len(staying_ids), len(staying_ids))


@receiver(request_finished)
def end_request(**kwargs: Any) -> None:
    delete_unsaved_files()
