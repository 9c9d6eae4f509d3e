"""The deletion of photos, files and rows that are no longer needed."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from secure_django.photos import jobs
from secure_django.photos.models import Photo, Status, Verdict
from secure_django.photos.moderation.rules import MANUAL, VerdictValue
from secure_django.photos.services import apply_verdicts, delete_photo
from secure_django.testing import HTTPSClient, Login, MakePhoto, MakeUser
from secure_django.testing.photos import FOLDERS
from users.models import User


def has_file(photo: Photo) -> bool:
    paths = [photo.path("display"), photo.path("thumbnail")]
    return any(map(default_storage.exists, paths))


@pytest.mark.control("V14.2.7")
def test_photos_of_a_deleted_user_vanish_at_once(
    client: HTTPSClient, make_user: MakeUser, make_photo: MakePhoto
) -> None:
    counts = []
    for number in (1, 4):
        owner = make_user(f"owner-{number}@example.com")
        statuses = Status.values[:number]
        photos = [make_photo(owner=owner, status=status) for status in statuses]
        with CaptureQueriesContext(connection) as queries:
            owner.delete()
        counts.append(len(queries))
        for photo in photos:
            assert client.get(f"/photos/{photo.pk}/display/").status_code == 404
            photo.refresh_from_db()
            assert (photo.status, photo.owner) == (Status.DELETED, None)
            assert photo.title == ""
            assert photo.original_name == ""
            assert photo.reason == ""
        call_command("worker", "--once")
        assert not any(map(has_file, photos))
    assert counts[0] == counts[1] < 50


@pytest.mark.control("V14.2.7")
def test_texts_of_a_photo_do_not_outlive_it(
    login: Login, user: User, reviewer: User, make_photo: MakePhoto
) -> None:
    deleted_photo = make_photo()
    other_photo = make_photo()
    reason = {"reason": "Shows Jane Doe"}
    for photo in (deleted_photo, other_photo):
        login(reviewer).post(
            f"/admin/secure_django_photos/photo/{photo.pk}/change/", reason
        )
    delete_photo(deleted_photo)
    details = Verdict.objects.values_list("detail", flat=True)
    assert sorted(details) == ["", "Shows Jane Doe"]
    user.delete()
    texts = str(
        [*Verdict.objects.values(), *LogEntry.objects.values(), *Photo.objects.values()]
    )
    assert str(deleted_photo.pk) in texts
    assert "Jane Doe" not in texts
    assert "Teal" not in texts


@pytest.mark.control("V14.2.7")
def test_files_that_cannot_be_deleted_are_tried_again(
    make_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    photos = [make_photo() for _ in range(3)]
    for photo in photos:
        delete_photo(photo)
    later = timezone.now() + timedelta(minutes=61)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    delete = default_storage.delete
    with monkeypatch.context() as context:
        calls = iter(range(3))
        context.setattr(
            default_storage,
            "delete",
            lambda name: delete(name) if next(calls) < 2 else 1 / 0,
        )
        jobs.delete_removed_files()
    assert caplog.messages[-1] == "photos whose files were deleted: 1"
    (failure,) = [record for record in caplog.records if record.exc_info]
    assert failure.levelname == "ERROR"
    jobs.delete_rows()
    assert Photo.objects.count() == 2
    jobs.delete_removed_files()
    assert not any(map(has_file, photos))
    jobs.delete_rows()
    assert not Photo.objects.exists()


def test_only_finished_rows_of_deleted_photos_are_deleted(
    make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH_SIZE", 1)
    now = timezone.now()
    gone: dict[str, Any] = {
        "status": Status.DELETED,
        "created_at": now - timedelta(minutes=61),
    }
    unfinished: list[dict[str, Any]] = [
        {"status": Status.APPROVED},
        {"must_delete_files": True},
        {"created_at": now - timedelta(minutes=59)},  # counts towards the quota
    ]
    kept = {make_photo(**gone | fields) for fields in unfinished}
    for _ in range(2):
        make_photo(**gone)
    jobs.delete_rows()
    assert set(Photo.objects.all()) == kept


@pytest.mark.control("V14.2.7")
def test_worker_deletes_orphaned_files_and_spares_new_ones(
    make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_photo = make_photo()
    orphaned_photo = make_photo()
    photo_without_files = make_photo(has_files=False)
    Photo.objects.filter(pk=orphaned_photo.pk).delete()
    folder = str(orphaned_photo.pk)[:2]
    names = (
        f"photos/{folder}/notes.txt",
        f"photos/{folder}/{orphaned_photo.pk}.pdf",
        f"{folder}/{orphaned_photo.pk}-display.jpg",
    )
    others = [
        default_storage.save(name, ContentFile(b"not a photo's")) for name in names
    ]

    # They may belong to an upload whose photo is about to be saved.
    for folder in FOLDERS:
        jobs.delete_orphaned_files(folder)
    assert all(map(has_file, (kept_photo, orphaned_photo, photo_without_files)))
    later = timezone.now() + timedelta(minutes=61)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    for folder in FOLDERS:
        jobs.delete_orphaned_files(folder)
    assert has_file(kept_photo)
    assert not has_file(orphaned_photo)
    assert not has_file(photo_without_files)
    assert all(map(default_storage.exists, others))


@pytest.mark.control("V14.2.7")
def test_rejected_photo_loses_its_files_after_its_retention(
    make_photo: MakePhoto, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REJECTED_RETENTION_DAYS = 2
    now = timezone.now()
    expired, approved, recent = (make_photo() for _ in range(3))
    for photo in (expired, approved):
        apply_verdicts(photo, {MANUAL: VerdictValue("rejected")})
    later = now + timedelta(days=2, minutes=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    apply_verdicts(recent, {MANUAL: VerdictValue("rejected")})
    in_two_minutes = now + timedelta(minutes=2)
    Photo.objects.filter(pk=recent.pk).update(auto_rejected_at=in_two_minutes)
    apply_verdicts(approved, {MANUAL: VerdictValue("approved")})
    jobs.remove_expired_files()
    jobs.delete_removed_files()
    assert not has_file(expired)
    assert has_file(approved)
    assert has_file(recent)
    assert set(Photo.objects.filter(has_files=False)) == {expired}
