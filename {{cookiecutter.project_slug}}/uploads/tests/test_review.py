"""The rule that publishes, the review in the admin, and the worker."""

import os
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.testing import Login, MakePhoto, MakeUser
from uploads import outbox
from uploads.management.commands import worker
from uploads.models import Photo, Status, Verdict
from uploads.moderation.backends import Outcome, StaffReviewBackend
from uploads.moderation.rules import MANUAL, VerdictValue, decide
from uploads.services import apply_verdicts, review_photo
from users.models import User

QUEUE = "/admin/uploads/photo/"


@pytest.mark.control("moderation")
def test_published_only_if_all_kinds_or_a_reviewer_approved() -> None:
    for manual, first, second in product([None, *Verdict.Result.values, "?"], repeat=3):
        verdicts = {"manual": manual, "first": first, "second": second}
        results = {kind: result for kind, result in verdicts.items() if result is not None}
        status = decide(results)
        unanimous = bool(results) and set(results.values()) == {"approved"}
        assert (status == Status.APPROVED) == (unanimous or manual == "approved"), results
        if manual != "approved" and "rejected" in results.values():
            assert status == Status.REJECTED
        elif manual != "approved" and {"aborted", "unknown", "?"} & set(results.values()):
            assert status == Status.REVIEW


@pytest.mark.control("moderation")
def test_repeated_verdict_changes_nothing(make_photo: MakePhoto) -> None:
    photo = make_photo()
    verdicts = {MANUAL: VerdictValue("approved")}
    apply_verdicts(photo, verdicts)
    before = Verdict.objects.values().get()
    apply_verdicts(photo, verdicts)
    assert Verdict.objects.values().get() == before


@pytest.mark.control("moderation")
def test_reviewer_approves_in_bulk_and_is_recorded(login: Login, reviewer: User, make_photo: MakePhoto) -> None:
    photos = [make_photo(), make_photo(status=Status.REVIEW)]
    client = login(reviewer)
    assert all(f"{photo.pk}/thumbnail/" in client.get(QUEUE).content.decode() for photo in photos)
    client.post(QUEUE, {"action": "approve", "_selected_action": [photo.pk for photo in photos]})
    assert Photo.objects.published().count() == 2
    assert set(Verdict.objects.values_list("result", "decided_by")) == {("approved", reviewer.pk)}
    assert LogEntry.objects.filter(user=reviewer, change_message="approved").count() == 2


@pytest.mark.control("moderation")
def test_reviewer_rejects_with_a_reason_for_the_owner(
    login: Login, user: User, reviewer: User, make_photo: MakePhoto
) -> None:
    photo = make_photo(status=Status.APPROVED)
    client = login(reviewer)
    choice = {"action": "reject", "_selected_action": [photo.pk]}
    assert 'name="reason"' in client.post(QUEUE + "?show=all", choice).content.decode()
    client.post(QUEUE + "?show=all", choice | {"reason": "Too blurred"})
    photo.refresh_from_db()
    assert (photo.status, photo.has_files) == (Status.REJECTED, False)
    call_command("worker", "--once")
    assert not default_storage.exists(photo.path("display"))
    assert "Too blurred" in login(user).get("/photos/mine/").content.decode()
    assert LogEntry.objects.filter(user=reviewer, change_message="rejected: Too blurred").exists()
    review_photo(photo, reviewer, "approved")
    assert photo.status == Status.REJECTED  # without files there is nothing to publish


@pytest.mark.control("V8.2.1")
def test_staff_without_permission_cannot_review(
    login: Login, make_user: MakeUser, make_photo: MakePhoto, reviewer: User, caplog: pytest.LogCaptureFixture
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


@pytest.mark.control("moderation")
def test_due_photo_is_claimed_by_one_worker(make_photo: MakePhoto) -> None:
    photo = make_photo(due_at=timezone.now())
    assert outbox.claim_due_photos() == [photo]
    assert outbox.claim_due_photos() == []
    Photo.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    call_command("worker", "--once")
    photo.refresh_from_db()
    assert (photo.status, photo.due_at, photo.claimed_until) == (Status.PENDING, None, None)


@pytest.mark.control("moderation")
def test_claim_lasts_as_long_as_the_pass(make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = [make_photo(due_at=timezone.now()) for _ in range(4)]

    class SlowBackend(StaffReviewBackend):
        def process(self, photos: Sequence[Photo]) -> Iterator[Outcome]:
            for photo in photos:
                later = timezone.now() + outbox.CLAIM - timedelta(seconds=1)
                monkeypatch.setattr("django.utils.timezone.now", lambda now=later: now)
                assert outbox.claim_due_photos() == []
                yield Outcome(photo, next_due=None)

    monkeypatch.setattr(outbox, "get_moderation_backend", SlowBackend)
    assert outbox.process_due_photos() == len(photos)
    assert not Photo.objects.exclude(claimed_until=None).exists()


@pytest.mark.control("moderation")
def test_photo_of_a_dead_worker_is_free_after_minutes(make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = make_photo(due_at=timezone.now())
    assert outbox.claim_due_photos() == [photo]
    later = timezone.now() + timedelta(minutes=5, seconds=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert outbox.process_due_photos() == 1


def test_worker_check_fails_only_if_the_worker_hangs(
    make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT", tmp_path / "heartbeat")
    with pytest.raises(CommandError, match="no heartbeat"):
        call_command("worker", "--check")
    worker.HEARTBEAT.touch()
    long_ago = timezone.now() - timedelta(days=1)
    make_photo(created_at=long_ago, due_at=long_ago)
    call_command("worker", "--check")
    os.utime(worker.HEARTBEAT, times=(time.time() - worker.STALE_SECONDS - 1,) * 2)
    with pytest.raises(CommandError, match="no heartbeat"):
        call_command("worker", "--check")


def test_staff_and_the_log_learn_of_overdue_photos(
    login: Login, reviewer: User, make_photo: MakePhoto, caplog: pytest.LogCaptureFixture
) -> None:
    now = timezone.now()
    photo = make_photo(due_at=now)
    assert "automatic moderation" not in login(reviewer).get(QUEUE).content.decode()
    # The service is down: the photo waits for a later attempt.
    Photo.objects.update(created_at=now - timedelta(hours=2), due_at=now + timedelta(minutes=15))
    assert "1 photo has waited for automatic moderation" in login(reviewer).get(QUEUE).content.decode()
    call_command("worker", "--once")
    assert "photos overdue for moderation: 1" in caplog.messages
    review_photo(photo, reviewer, "approved")
    assert "automatic moderation" not in login(reviewer).get(QUEUE).content.decode()
