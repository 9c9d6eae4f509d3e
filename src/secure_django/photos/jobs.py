"""Jobs of the worker: emails, and the deletion of orphaned files and expired rows."""

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from secure_django.jobs import job
from secure_django.photos.models import FILE, Photo, Status
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.photos.notices import send_due_notices
from secure_django.photos.purposes import PURPOSES
from secure_django.photos.services import delete_files, delete_photos, remove_files

BATCH_SIZE = 1000  # photos that one statement changes or deletes

logger = logging.getLogger(__name__)
send_notices = job(every=5)(send_due_notices)


@job(every=5)
def delete_removed_files() -> bool:
    """Delete the files of some removed photos, and return whether there may be more."""
    photos = Photo.objects.filter(must_delete_files=True).only("pk")
    deleted_ids: list[UUID] = []
    for photo in photos.order_by("?")[:BATCH_SIZE]:
        try:
            delete_files(photo)
        except Exception:
            # The storage may be down. If only this photo fails, the random order lets
            # the others go first next time.
            logger.exception("The files of a photo could not be deleted")
            break
        deleted_ids.append(photo.pk)
    if deleted_ids:
        Photo.objects.filter(pk__in=deleted_ids).update(must_delete_files=False)
        logger.info("photos whose files were deleted: %d", len(deleted_ids))
    return len(deleted_ids) == BATCH_SIZE


@job(every=300)
def remove_expired_files() -> None:
    """Remove the files of photos that a backend rejected.

    The files stay for REJECTED_RETENTION_DAYS.
    """
    cutoff = timezone.now() - timedelta(days=settings.REJECTED_RETENTION_DAYS)
    photos = Photo.objects.filter(auto_rejected_at__lt=cutoff)
    for ids in id_batches(photos):
        with transaction.atomic():
            # With the condition again, since a reviewer may approve one of them at this
            # moment.
            expired = photos.order_by().filter(pk__in=ids)
            locked_ids = expired.select_for_update().values_list("pk", flat=True)
            remove_files(Photo.objects.filter(pk__in=list(locked_ids)))


@job(every=300)
def delete_rows() -> None:
    """Delete the rows of deleted photos for which no job has anything left to do."""
    rows = Photo.objects.filter(
        status=Status.DELETED, must_delete_files=False, created_at__lt=hour_ago()
    )
    for ids in id_batches(get_moderation_backend().deletable(rows)):
        Photo.objects.filter(pk__in=ids).delete()


@job(every=300)
def delete_unused_photos(folder: str = "") -> None:
    """Delete photos of a folder that no object refers to, unless they are new.

    The default is the present folder.
    """
    id_range = id_range_of(folder or present_folder())
    photos = Photo.objects.not_deleted().filter(
        pk__range=id_range, created_at__lt=hour_ago()
    )
    for purpose in PURPOSES.values():
        unused = photos.filter(purpose.unused(), purpose=purpose.name)
        for ids in id_batches(unused):
            delete_photos(Photo.objects.filter(pk__in=ids))


@job(every=300)
def delete_orphaned_files(folder: str = "") -> None:
    """Delete the files in a folder whose photos have none, unless they are new.

    The default is the present folder.
    """
    folder = folder or present_folder()
    names: list[str] = []
    with suppress(FileNotFoundError):  # no photo's id begins like this
        names = default_storage.listdir(f"photos/{folder}")[1]
    # Queried after the list of files was read, so that the result has the photo of each
    # listed file.
    photos = Photo.objects.filter(has_files=True, pk__range=id_range_of(folder))
    kept_ids = {str(pk) for pk in photos.order_by().values_list("pk", flat=True)}
    for name in names:
        path = f"photos/{folder}/{name}"
        match = FILE.fullmatch(path)
        # Other files are left alone.
        if match and match[1] not in kept_ids:
            delete_unless_new(path)


def delete_unless_new(path: str) -> None:
    """Delete a file.

    A new one may belong to an upload whose photo is about to be saved.
    """
    with suppress(FileNotFoundError):  # deleted in the meantime
        if default_storage.get_modified_time(path) < hour_ago():
            default_storage.delete(path)


def hour_ago() -> datetime:
    return timezone.now() - timedelta(hours=1)


def present_folder() -> str:
    """Return one of the 256 folders of photos, each about once a day.

    The clock decides, since `worker --once` starts anew each time.
    """
    number = int(time.time() // 300) % 256
    return f"{number:02x}"


def id_range_of(folder: str) -> tuple[UUID, UUID]:
    """Return the bounds of the ids of a folder's photos, which begin with its name."""
    first = UUID(folder.ljust(32, "0"))
    last = UUID(folder.ljust(32, "f"))
    return first, last


def id_batches(photos: QuerySet[Photo]) -> Iterator[list[UUID]]:
    """Yield the ids of the photos until there are none.

    The caller must delete each batch, or change it so that the query excludes it.
    """
    ids = photos.order_by().values_list("pk", flat=True)
    while batch := list(ids[:BATCH_SIZE]):
        yield batch
