"""The rule, and the people and machines that feed it."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from conftest import HTTPSClient
from uploads import outbox
from uploads.models import Photo, Status, Verdict
from uploads.moderation import decide
from users.models import User

Login = Callable[[User], HTTPSClient]
MakePhoto = Callable[..., Photo]
QUEUE = "/admin/uploads/photo/"


@pytest.mark.control("moderation")
def test_published_only_when_every_kind_approved_or_a_person_did() -> None:
    for manual, first, second in product([None, *Verdict.Result.values, "?"], repeat=3):
        verdicts = {"manual": manual, "first": first, "second": second}
        results = {kind: result for kind, result in verdicts.items() if result is not None}
        status = decide(results)
        everybody = bool(results) and set(results.values()) == {"approved"}
        assert (status == Status.APPROVED) == (everybody or manual == "approved"), results
        if manual != "approved" and "rejected" in results.values():
            assert status == Status.REJECTED
        elif manual != "approved" and {"aborted", "unknown", "?"} & set(results.values()):
            assert status == Status.REVIEW


@pytest.mark.control("moderation")
def test_repeated_verdict_changes_nothing(make_photo: MakePhoto) -> None:
    photo = make_photo()
    photo.record({"manual": "approved"})
    before = Verdict.objects.values().get()
    photo.record({"manual": "approved"})
    assert Verdict.objects.values().get() == before


@pytest.mark.control("moderation")
def test_reviewer_approves_in_bulk_and_the_record_says_who(login: Login, reviewer: User, make_photo: MakePhoto) -> None:
    photos = [make_photo(), make_photo(status=Status.REVIEW)]
    client = login(reviewer)
    assert all(f"{photo.pk}/thumbnail/" in client.get(QUEUE).content.decode() for photo in photos)
    client.post(QUEUE, {"action": "approve", "_selected_action": [photo.pk for photo in photos]})
    assert Photo.objects.published().count() == 2
    assert set(Verdict.objects.values_list("result", "decided_by")) == {("approved", reviewer.pk)}
    assert LogEntry.objects.filter(user=reviewer, change_message="approved").count() == 2


@pytest.mark.control("moderation")
def test_reviewer_rejects_with_a_reason_that_the_owner_reads(
    login: Login,
    user: User,
    reviewer: User,
    make_photo: MakePhoto,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    photo = make_photo(status=Status.APPROVED)
    client = login(reviewer)
    choice = {"action": "reject", "_selected_action": [photo.pk]}
    assert 'name="reason"' in client.post(QUEUE + "?show=all", choice).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(QUEUE + "?show=all", choice | {"reason": "Too blurred"})
    photo.refresh_from_db()
    assert (photo.status, photo.has_bytes) == (Status.REJECTED, False)
    assert not default_storage.exists(photo.path("display"))
    assert "Too blurred" in login(user).get("/photos/mine/").content.decode()
    assert LogEntry.objects.filter(user=reviewer, change_message="rejected: Too blurred").exists()
    photo.record({"manual": "approved"}, by=reviewer)
    assert photo.status == Status.REJECTED  # without bytes there is nothing left to publish


@pytest.mark.control("V8.2.1")
def test_staff_without_the_permission_decides_nothing(
    login: Login,
    make_user: Callable[..., User],
    make_photo: MakePhoto,
    reviewer: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    photo = make_photo()
    clerk = make_user("clerk@example.com", is_staff=True)
    assert login(clerk).get(QUEUE).status_code == 403
    assert "authz_fail" in caplog.messages
    clerk.user_permissions.set(reviewer.user_permissions.filter(codename="view_photo"))
    for action in ("approve", "reject"):
        login(clerk).post(QUEUE, {"action": action, "_selected_action": [photo.pk], "reason": "Mine"})
    photo.refresh_from_db()
    assert photo.status == Status.PENDING


class Machine:
    """A moderator that approves what it is given, and counts it."""

    kinds = ("machine",)
    seen: list[Any] = []

    def next_due(self) -> datetime:
        return timezone.now()

    def advance(self, photos: Iterable[Photo]) -> None:
        for photo in photos:
            self.seen.append(photo.pk)
            photo.record({"machine": "approved"})
            Photo.objects.filter(pk=photo.pk).update(due_at=None)

    def url(self, photo: Photo, variant: str) -> str:
        return f"/{variant}"


@pytest.fixture
def machine(settings: Settings) -> type[Machine]:
    settings.PHOTO_MODERATOR = f"{__name__}.Machine"
    Machine.seen = []
    return Machine


@pytest.mark.control("moderation")
def test_worker_moves_each_due_photo_on_once(machine: type[Machine], make_photo: MakePhoto) -> None:
    photos = {make_photo().pk for _ in range(3)}
    assert not Photo.objects.published().exists()
    for _ in range(2):
        call_command("moderate_photos")
    assert sorted(machine.seen) == sorted(photos)
    assert Photo.objects.published().count() == 3


@pytest.mark.control("moderation")
def test_claimed_photo_is_nobody_elses_until_the_claim_runs_out(machine: type[Machine], make_photo: MakePhoto) -> None:
    photo = make_photo()
    assert [claimed.pk for claimed in outbox.claim()] == [photo.pk]
    assert outbox.claim() == []
    Photo.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert [claimed.pk for claimed in outbox.claim()] == [photo.pk]


def test_sweeper_deletes_what_nothing_needs(
    make_photo: MakePhoto, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, orphan, expired, gone = (make_photo() for _ in range(4))
    Photo.objects.filter(pk=orphan.pk).delete()
    expired.record({"manual": "rejected"})
    gone.discard()
    call_command("clean_photos")
    assert default_storage.exists(orphan.path("display"))  # an upload whose row is still to come looks the same
    later = timezone.now() + timedelta(days=settings.REJECTED_RETENTION_DAYS, minutes=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    call_command("clean_photos")
    call_command("clean_photos")
    assert default_storage.listdir("")[0] == [str(kept.pk)]
    assert set(Photo.objects.values_list("pk", "has_bytes")) == {(kept.pk, True), (expired.pk, False)}
