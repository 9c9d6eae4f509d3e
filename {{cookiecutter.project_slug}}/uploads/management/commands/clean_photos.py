"""The sweeper: deletes what nothing needs any more."""

import re
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from uploads.models import Photo, Status
from uploads.moderation import moderator

# How a photo's folder is called; what is called otherwise is somebody else's.
FOLDER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Command(BaseCommand):
    help = "Deletes files without a photo, and photos whose time is over; run it every hour."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        expired = expire(now - timedelta(days=settings.REJECTED_RETENTION_DAYS))
        hour_ago = now - timedelta(hours=1)
        # What the worker still has to do for a deleted photo comes first.
        rows, _ = Photo.objects.filter(status=Status.DELETED, due_at=None, created_at__lt=hour_ago).delete()
        orphans = sweep(hour_ago)
        self.stdout.write(f"rejected photos expired: {expired}; deleted: {rows} rows, {orphans} folders without one")


def expire(cutoff: datetime) -> int:
    """Drops the bytes of photos that machines rejected and nobody overturned in time."""
    photos = Photo.objects.filter(status=Status.REJECTED, has_bytes=True).exclude(verdicts__updated_at__gt=cutoff)
    expired = 0
    for key in photos.values_list("pk", flat=True):
        with transaction.atomic():
            # Looked at once more under a lock: somebody may have overturned it meanwhile.
            photo = photos.select_for_update().filter(pk=key).first()
            if photo is not None:
                photo.drop_bytes()
                photo.due_at = moderator().next_due()
                photo.save(update_fields=["has_bytes", "due_at"])
                expired += 1
    return expired


def sweep(cutoff: datetime) -> int:
    """Deletes the files of photos that have no row, or no right to bytes any more."""
    if not default_storage.exists(""):
        return 0
    folders = {folder for folder in default_storage.listdir("")[0] if FOLDER.fullmatch(folder)}
    kept = {str(key) for key in Photo.objects.filter(has_bytes=True).values_list("pk", flat=True)}
    orphans = [folder for folder in folders - kept if untouched(folder, cutoff)]
    for folder in orphans:
        Photo(id=folder).delete_files()
    return len(orphans)


def untouched(folder: str, cutoff: datetime) -> bool:
    """Tells an orphan from an upload whose row is just about to be written."""
    try:
        names = [folder, *(str(PurePath(folder, name)) for name in default_storage.listdir(folder)[1])]
        return all(default_storage.get_modified_time(name) < cutoff for name in names)
    except FileNotFoundError:
        return False  # gone while we looked
