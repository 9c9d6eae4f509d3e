"""The sweeper deletes files and rows that are no longer needed, in batches."""

import logging
import re
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from uploads.models import Photo, Status
from uploads.moderation.backends import get_moderation_backend
from uploads.purposes import PURPOSES
from uploads.services import BATCH_SIZE, batches, delete_expired_files, delete_files, delete_photos

FILE_NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-[a-z]+\.jpg")

logger = logging.getLogger(__name__)


def delete_removed_files() -> int:
    """Delete the files of a batch of removed photos, and return their number. Several workers may do this at once."""
    photos, deleted = Photo.objects.filter(must_delete_files=True).only("pk").order_by("?")[:BATCH_SIZE], []
    for photo in photos:
        try:
            delete_files(photo)
        except Exception:
            # The storage may be down. If only this photo fails, the random order lets the others go first next time.
            logger.exception("The files of a photo could not be deleted")
            break
        deleted.append(photo.pk)
    if deleted:
        Photo.objects.filter(pk__in=deleted).update(must_delete_files=False)
        logger.info("photos whose files were deleted: %d", len(deleted))
    return len(deleted)


def sweep(number: int) -> None:
    """Delete what is no longer needed: unused photos and orphaned files in the storage's folder of this number.

    Of the 256 folders, each has the photos whose ids begin with its name. Several workers may sweep at once.
    """
    now = timezone.now()
    expired = delete_expired_files(now - timedelta(days=settings.REJECTED_RETENTION_DAYS))
    hour_ago = now - timedelta(hours=1)
    # Not while a job has something to do for a deleted photo.
    rows = Photo.objects.filter(status=Status.DELETED, must_delete_files=False, created_at__lt=hour_ago)
    deleted = 0
    for keys in batches(get_moderation_backend().deletable(rows)):
        Photo.objects.filter(pk__in=keys).delete()
        deleted += len(keys)
    folder = f"{number:02x}"
    unused = delete_unused_photos(folder, hour_ago)
    orphaned = delete_orphaned_files(folder, hour_ago)
    counts = expired, deleted, unused, orphaned
    logger.info("expired photos: %d; deleted photos: %d; unused photos: %d; orphaned files: %d", *counts)


def ids_in(folder: str) -> tuple[UUID, UUID]:
    return UUID(folder.ljust(32, "0")), UUID(folder.ljust(32, "f"))


def delete_unused_photos(folder: str, cutoff: datetime) -> int:
    """Delete the folder's photos that no object refers to, unless they are newer than `cutoff`; return their number."""
    deleted, photos = 0, Photo.objects.not_deleted().filter(pk__range=ids_in(folder), created_at__lt=cutoff)
    for purpose in PURPOSES.values():
        for keys in batches(photos.filter(purpose.unused(), purpose=purpose.name)):
            delete_photos(Photo.objects.filter(pk__in=keys))
            deleted += len(keys)
    return deleted


def delete_orphaned_files(folder: str, cutoff: datetime) -> int:
    """Delete the folder's files of photos that have none, unless they are newer than `cutoff`; return their number."""
    names: list[str] = []
    with suppress(FileNotFoundError):  # no photo's id begins like this
        names = default_storage.listdir(f"photos/{folder}")[1]
    # After the list of files, so that it has the photo of each file on the list that was uploaded in the meantime.
    photos = Photo.objects.filter(has_files=True, pk__range=ids_in(folder)).order_by()
    kept = set(map(str, photos.values_list("pk", flat=True)))
    orphaned = 0
    for name in names:
        if (match := FILE_NAME.fullmatch(name)) and match[1] not in kept:  # other files are left alone
            with suppress(FileNotFoundError):  # deleted in the meantime
                # A new file may belong to an upload whose photo is about to be saved.
                path = f"photos/{folder}/{name}"
                if default_storage.get_modified_time(path) < cutoff:
                    default_storage.delete(path)
                    orphaned += 1
    return orphaned
