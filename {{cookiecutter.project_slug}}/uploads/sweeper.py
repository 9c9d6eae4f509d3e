"""The sweeper deletes orphaned files, the files of expired photos, and deleted photos; it reports overdue ones."""

import logging
import re
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from uploads.models import Photo, Status
from uploads.services import delete_files, expire_rejected_photos

logger = logging.getLogger(__name__)


def sweep() -> None:
    """Delete what is no longer needed. Several workers may do this at once."""
    now = timezone.now()
    expired = expire_rejected_photos(now - timedelta(days=settings.REJECTED_RETENTION_DAYS))
    hour_ago = now - timedelta(hours=1)
    # Not while the worker has something to do for a deleted photo.
    rows, _ = Photo.objects.filter(status=Status.DELETED, due_at=None, created_at__lt=hour_ago).delete()
    orphaned = delete_orphaned_files(hour_ago)
    logger.info("expired photos: %d; deleted photos: %d; orphaned folders: %d", expired, rows, orphaned)
    if overdue := Photo.objects.overdue().count():
        logger.warning("photos overdue for moderation: %d", overdue)


def delete_orphaned_files(cutoff: datetime) -> int:
    """Delete folders without a photo that has files; return their number."""
    if not default_storage.exists(""):
        return 0
    # The folder of a photo is named by its id. Other folders are left alone.
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    folders = {folder for folder in default_storage.listdir("")[0] if re.fullmatch(uuid, folder)}
    kept = {str(key) for key in Photo.objects.filter(has_files=True).values_list("pk", flat=True)}
    orphaned = 0
    for folder in folders - kept:
        with suppress(FileNotFoundError):  # deleted in the meantime
            names = [f"{folder}/{name}" for name in default_storage.listdir(folder)[1]]
            # A new file may belong to an upload whose photo is about to be saved.
            # Object storage has no empty folders, and no times of folders.
            if all(default_storage.get_modified_time(name) < cutoff for name in names or [folder]):
                delete_files(Photo(id=folder))
                orphaned += 1
    return orphaned
