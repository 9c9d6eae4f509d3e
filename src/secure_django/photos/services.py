"""All changes of photos.

Views, the admin, commands and the worker change photos only by these functions.
"""

import logging
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from secure_django.photos.images import VARIANTS, NewPhoto
from secure_django.photos.limits import check_quota
from secure_django.photos.models import Photo, Status, Verdict
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.photos.moderation.rules import MANUAL, VerdictValue, decide
from secure_django.photos.purposes import purpose_of
from secure_django.photos.signals import photo_decided
from secure_django.user import User
from secure_django.validators import CONTROL_CHARACTERS

__all__ = ["delete_photo"]

logger = logging.getLogger(__name__)


class Unsaved(threading.local):
    """The photos of this thread whose files are stored, and that are not saved."""

    def __init__(self) -> None:
        self.photos: list[Photo] = []


unsaved = Unsaved()


@contextmanager
def storing_photos(
    owner: User, title: str, new: Mapping[str, NewPhoto]
) -> Iterator[dict[str, Photo]]:
    """Store files and photos in one transaction with the body of the `with` statement.

    The body gets the photos by name. An error leaves neither files nor photos. An
    exceeded quota is a ValidationError.
    """
    photos = store_files(owner, new)
    with saving_photos(owner, title, photos):
        yield photos


def store_files(owner: User, new: Mapping[str, NewPhoto]) -> dict[str, Photo]:
    """Store the files of new photos, and return the photos, which are not saved.

    Files come first: a photo without files would be lost, and the worker deletes files
    without a photo. An error leaves no files.
    """
    photos = {name: make_photo(owner, new_photo) for name, new_photo in new.items()}
    unsaved.photos += photos.values()
    try:
        for name, photo in photos.items():
            image: Any = new[name].image
            for variant, content in image.files.items():
                default_storage.save(photo.path(variant), ContentFile(content))
    except BaseException:
        for photo in photos.values():
            delete_files(photo)
        raise
    return photos


@contextmanager
def saving_photos(
    owner: User, title: str, photos: Mapping[str, Photo]
) -> Iterator[None]:
    """Save photos in one transaction with the body of the `with` statement.

    `store_files` has made them. An error leaves neither files nor photos. An exceeded
    quota is a ValidationError.
    """
    committed: list[bool] = []
    try:
        with transaction.atomic():
            # Registered first: an error in a later callback must not delete the files
            # of photos that are stored.
            transaction.on_commit(lambda: committed.append(True))
            # Lock the owner, so that parallel uploads cannot exceed the quota. First,
            # since the deletion of an account locks the account before its objects. Not
            # the key (no_key): a decision locks a photo and then its reviewer's key,
            # while this form may lock the same two in reverse order.
            User.objects.select_for_update(no_key=True).get(pk=owner.pk)
            if photos:
                check_quota(owner, len(photos))
            for photo in photos.values():
                # An object's text may have several lines.
                photo.title = re.sub(CONTROL_CHARACTERS, " ", title)[:120]
                save_photo(photo)
            yield
    except BaseException:
        if not committed:
            for photo in photos.values():
                delete_files(photo)
        raise
    finally:
        # After an error too: the photos may be stored, and a later callback has failed.
        unsaved.photos = [it for it in unsaved.photos if it not in photos.values()]


def delete_unsaved_files() -> None:
    """Delete the files of forms that were valid, and that no view has saved.

    Otherwise, forms beside an invalid one could fill the disk: no quota counts files.
    """
    photos = unsaved.photos
    unsaved.photos = []
    for photo in photos:
        try:
            delete_files(photo)
        except Exception:
            # Each storage raises errors of its own. The worker deletes these files.
            logger.exception("The files of a photo that was not saved remain")


def make_photo(owner: User, new: NewPhoto) -> Photo:
    image: Any = new.image
    photo = Photo(
        owner=owner,
        purpose=new.purpose.name,
        original_name=str(new.file.name),
        width=image.width,
        height=image.height,
        display_size=len(image.files["display"]),
        thumbnail_size=len(image.files["thumbnail"]),
    )
    photo.is_moderated = new.purpose.is_moderated
    return photo


def save_photo(photo: Photo) -> None:
    """Save a new photo with the verdicts that it needs.

    Without moderation it is approved at once.
    """
    if photo.is_moderated:
        backend = get_moderation_backend()
        photo.save()
        verdicts = [Verdict(photo=photo, kind=kind) for kind in backend.kinds()]
        Verdict.objects.bulk_create(verdicts)
        backend.schedule(Photo.objects.filter(pk=photo.pk))
    else:
        photo.status = Status.APPROVED
        photo.save()


def apply_verdicts(
    photo: Photo,
    verdicts: Mapping[str, VerdictValue],
    reason: str = "",
    reviewer: User | None = None,
    expected_status: str = "",
) -> bool:
    """Store verdicts by kind, and the `reason` for the owner if they reject.

    Repeating the call changes nothing. Return False and change nothing if there are no
    files, or if the photo does not have `expected_status`.
    """
    with transaction.atomic():
        locked = Photo.objects.select_for_update().get(pk=photo.pk)
        # Without files there is nothing left to decide.
        can_decide = locked.has_files and expected_status in ("", locked.status)
        if can_decide and verdicts:
            old_status = locked.status
            store_verdicts(locked, verdicts, reviewer)
            update_status(locked, reason, reviewer)
            locked.save()
            if locked.status != old_status:
                announce_decision(locked)
            if reviewer:
                reviewed = Photo.objects.filter(pk=photo.pk)
                get_moderation_backend().schedule(reviewed)
    photo.refresh_from_db()
    return can_decide


def store_verdicts(
    photo: Photo, verdicts: Mapping[str, VerdictValue], reviewer: User | None
) -> None:
    for kind, verdict in verdicts.items():
        values = {
            "result": verdict.result,
            "detail": verdict.detail,
            "decided_by": reviewer,
        }
        same_verdicts = photo.verdicts.filter(kind=kind, **values)
        if not same_verdicts.exists():
            photo.verdicts.update_or_create(kind=kind, defaults=values)


def update_status(photo: Photo, reason: str, reviewer: User | None) -> None:
    """Set the status that follows from the verdicts, and what depends on the status."""
    old_status = photo.status
    old_reason = photo.reason
    results = dict(photo.verdicts.values_list("kind", "result"))
    photo.status = decide(results)
    is_rejected = photo.status == Status.REJECTED
    # Even if the status stays the same, a reviewer's reason replaces a backend's.
    if reviewer or photo.status != old_status:
        photo.auto_rejected_at = timezone.now() if is_rejected else None
        photo.reason = reason if is_rejected else ""
    if (photo.status, photo.reason) != (old_status, old_reason):
        update_notice(photo, reviewer)
    if reviewer and is_rejected:
        # A person has decided, so the files are no longer needed.
        photo.has_files = False
        photo.must_delete_files = True
        photo.auto_rejected_at = None


def announce_decision(photo: Photo) -> None:
    """Send `photo_decided` after the transaction."""
    if photo.status in (Status.APPROVED, Status.REJECTED):
        send = photo_decided.send_robust
        transaction.on_commit(partial(send, Photo, photo=photo, status=photo.status))


def update_notice(photo: Photo, reviewer: User | None) -> None:
    """Schedule the email to the owner about a rejection or a person's approval."""
    is_approved_by_person = reviewer and photo.status == Status.APPROVED
    if photo.status == Status.REJECTED or is_approved_by_person:
        # In an hour, so that one email contains all decisions until then.
        in_an_hour = timezone.now() + timedelta(hours=1)
        photo.notify_at = photo.notify_at or in_an_hour
    else:
        photo.notify_at = None


def review_photo(
    photo: Photo,
    reviewer: User,
    result: str,
    reason: str = "",
    expected_status: str = "",
) -> bool:
    """Store a reviewer's `approved` or `rejected`, which overrides other verdicts."""
    verdicts = {MANUAL: VerdictValue(result, reason)}
    return apply_verdicts(photo, verdicts, reason, reviewer, expected_status)


def delete_photo(photo: Photo) -> None:
    delete_photos(Photo.objects.filter(pk=photo.pk))


def delete_photos(photos: QuerySet[Photo]) -> None:
    """Hide the photos and delete their texts at once.

    The worker deletes the files, and an hour later the rows.
    """
    remove_files(photos, status=Status.DELETED, title="", original_name="", reason="")
    # After the photos: apply_verdicts locks in the same order, and stores no verdict
    # once the files are gone.
    Verdict.objects.filter(photo__in=photos).update(detail="")


def forget_owner(photos: QuerySet[Photo]) -> None:
    """Delete what photos say of a deleted account: the file's name and the emails.

    The key to the owner is null already.
    """
    photos.update(original_name="", notify_at=None)


def delete_unused(photos: Iterable[Photo]) -> None:
    """Delete those of the photos that no object refers to any longer."""
    for photo in photos:
        is_unused = purpose_of(photo).unused()
        if Photo.objects.filter(is_unused, pk=photo.pk).exists():
            delete_photo(photo)


def remove_files(photos: QuerySet[Photo], **changes: Any) -> None:
    """Hide the files at once; the worker deletes them and the backend's copies."""
    # The update comes first, so that a photo is locked before its other rows. `photos`
    # must still match after the update.
    with transaction.atomic():
        photos.update(
            has_files=False, must_delete_files=True, auto_rejected_at=None, **changes
        )
        get_moderation_backend().schedule(photos)


def delete_files(photo: Photo) -> None:
    for variant in VARIANTS:
        default_storage.delete(photo.path(variant))
