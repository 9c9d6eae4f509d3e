"""What happens to a photo. Views, the admin, commands and the worker change photos through these functions alone."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from core.shared_pages import discard_shared_pages
from uploads.images import VARIANTS, ReencodedImage, upload_error
from uploads.models import Photo, Status, Verdict
from uploads.moderation.backends import get_moderation_backend
from uploads.moderation.rules import MANUAL, VerdictValue, decide
from users.models import User

BATCH_SIZE = 1000  # photos that one statement changes or deletes


def check_quota(owner: User) -> None:
    """Raise ValidationError if UPLOADS_PER_HOUR photos of the owner were accepted within the last hour."""
    hour_ago = timezone.now() - timedelta(hours=1)
    if owner.photos.filter(created_at__gt=hour_ago).count() >= settings.UPLOADS_PER_HOUR:
        raise upload_error("quota", photos=settings.UPLOADS_PER_HOUR)


def create_photo(owner: User, title: str, original_name: str, image: ReencodedImage) -> Photo:
    """Store the files, then the photo with the verdicts it needs. Raise ValidationError over the quota."""
    photo = Photo(owner=owner, title=title, original_name=original_name)
    photo.width, photo.height, photo.size = image.width, image.height, len(image.files["display"])
    backend = get_moderation_backend()
    try:
        # Files first: a photo without files would be lost, and files without a photo are removed by the sweeper.
        for variant, content in image.files.items():
            default_storage.save(photo.path(variant), ContentFile(content))
        with transaction.atomic():
            # A lock on the owner, so that parallel uploads cannot exceed the quota.
            User.objects.select_for_update().get(pk=owner.pk)
            check_quota(owner)
            photo.save()
            Verdict.objects.bulk_create(Verdict(photo=photo, kind=kind) for kind in backend.kinds())
            backend.schedule(Photo.objects.filter(pk=photo.pk))
    except BaseException:
        delete_files(photo)
        raise
    return photo


def apply_verdicts(
    photo: Photo, verdicts: Mapping[str, VerdictValue], reason: str = "", reviewer: User | None = None, seen: str = ""
) -> bool:
    """Store verdicts by kind, and the `reason` for the owner if they reject. Repeating it changes nothing.

    Return False and change nothing if there are no files, or if the photo no longer has the status that was `seen`.
    """
    with transaction.atomic():
        locked = Photo.objects.select_for_update().get(pk=photo.pk)
        decided = locked.has_files and seen in ("", locked.status)  # without files there is nothing left to decide
        if decided and verdicts:
            for kind, verdict in verdicts.items():
                values = {"result": verdict.result, "detail": verdict.detail, "decided_by": reviewer}
                if not locked.verdicts.filter(kind=kind, **values).exists():
                    locked.verdicts.update_or_create(kind=kind, defaults=values)
            before = locked.status, locked.reason
            locked.status = decide(dict(locked.verdicts.values_list("kind", "result")))
            # Even if the status stays the same, a reviewer's reason replaces a backend's.
            if reviewer or locked.status != before[0]:
                locked.rejected_at = timezone.now() if locked.status == Status.REJECTED else None
                locked.reason = reason if locked.status == Status.REJECTED else ""
            if (locked.status, locked.reason) != before:
                is_news = locked.status == Status.REJECTED or (reviewer and locked.status == Status.APPROVED)
                # In an hour, so that one email tells of all decisions until then.
                due = locked.notify_at or timezone.now() + timedelta(hours=1)
                locked.notify_at = due if is_news else None
            if reviewer and locked.status == Status.REJECTED:
                # A person has decided, so the files are no longer needed.
                locked.has_files, locked.must_delete_files, locked.rejected_at = False, True, None
            locked.save()
            if reviewer:
                get_moderation_backend().schedule(Photo.objects.filter(pk=photo.pk))
            if Status.APPROVED in {before[0], locked.status}:
                transaction.on_commit(discard_shared_pages, robust=True)
    photo.refresh_from_db()
    return decided


def review_photo(photo: Photo, reviewer: User, result: str, reason: str = "", seen: str = "") -> bool:
    """Store a reviewer's decision, `approved` or `rejected`. It overrides all other verdicts."""
    return apply_verdicts(photo, {MANUAL: VerdictValue(result, reason)}, reason=reason, reviewer=reviewer, seen=seen)


def delete_photo(photo: Photo) -> None:
    delete_photos(Photo.objects.filter(pk=photo.pk))


def delete_photos(photos: QuerySet[Photo]) -> None:
    """Hide the photos and delete their texts at once. The worker deletes the files, and an hour later the rows."""
    remove_files(photos, status=Status.DELETED, title="", original_name="", reason="")
    # After the photos, as apply_verdicts locks them: it changes no verdict of a photo without files.
    Verdict.objects.filter(photo__in=photos).update(detail="")
    transaction.on_commit(discard_shared_pages, robust=True)


def expire_rejected_photos(cutoff: datetime) -> int:
    """Remove the files of photos that a backend rejected before `cutoff`; return the number of photos."""
    photos, expired = Photo.objects.filter(rejected_at__lt=cutoff).order_by(), 0
    while keys := list(photos.values_list("pk", flat=True)[:BATCH_SIZE]):
        with transaction.atomic():
            # Under the condition again, since a reviewer may approve one of them at this moment.
            locked = photos.select_for_update().filter(pk__in=keys).values_list("pk", flat=True)
            expired += remove_files(Photo.objects.filter(pk__in=list(locked)))
    return expired


def remove_files(photos: QuerySet[Photo], **changes: Any) -> int:
    """Hide the photos' files at once; the worker deletes them and the backend's copies. Return the number of photos."""
    # `photos` must still find them after the update, which comes first: a photo is locked before what belongs to it.
    with transaction.atomic():
        number = photos.update(has_files=False, must_delete_files=True, rejected_at=None, **changes)
        get_moderation_backend().schedule(photos)
    return number


def delete_files(photo: Photo) -> None:
    for variant in VARIANTS:
        default_storage.delete(photo.path(variant))
