"""Emails about decisions: owners get each one once, in at most one email an hour."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.utils import timezone

from secure_django.photos.models import Photo
from secure_django.photos.moderation.rules import MANUAL, VerdictValue
from secure_django.photos.notices import send_due_notices
from secure_django.photos.services import apply_verdicts, delete_photo, review_photo
from secure_django.testing import MakePhoto, MakeUser
from users.models import User

type RunWorker = Callable[[int], list[Any]]

PREFIX = f"[{settings.SITE_NAME}] "


@pytest.fixture
def run_worker(monkeypatch: pytest.MonkeyPatch) -> RunWorker:
    """Run the worker minutes after the test's start, and return the emails it sent."""
    start = timezone.now()

    def run(minutes: int) -> list[Any]:
        monkeypatch.setattr(
            "django.utils.timezone.now", lambda: start + timedelta(minutes=minutes)
        )
        before = len(mail.outbox)
        call_command("worker", "--once")
        return mail.outbox[before:]

    return run


@pytest.mark.control("notices")
def test_decisions_of_an_hour_are_reported_in_one_email(
    user: User,
    other_user: User,
    reviewer: User,
    make_photo: MakePhoto,
    run_worker: RunWorker,
) -> None:
    published = make_photo(title="Harbor")
    refused = make_photo(title="Fog")
    other = make_photo(other_user, title="Sun")
    make_photo(title="Undecided")
    review_photo(published, reviewer, "approved")
    assert run_worker(30) == []
    review_photo(refused, reviewer, "rejected", "Too <blurred>")
    review_photo(other, reviewer, "approved")
    (email,) = run_worker(61)
    assert email.to == [user.email]
    assert email.subject == f"{PREFIX}Decisions on your photos"
    assert '"Harbor" (test) was approved.\n' in email.body
    assert '"Fog" (test) was not accepted.\nReason: Too <blurred>\n' in email.body
    assert "Sun" not in email.body
    assert "Undecided" not in email.body
    assert settings.SITE_NAME in email.body
    (email,) = run_worker(91)
    assert email.to == [other_user.email]
    assert email.subject == f"{PREFIX}A decision on your photo"
    assert run_worker(200) == []


@pytest.mark.control("notices")
def test_changed_decision_is_reported_and_a_repeated_one_is_not(
    reviewer: User, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    photo = make_photo()
    review_photo(photo, reviewer, "approved")
    assert len(run_worker(61)) == 1
    review_photo(photo, reviewer, "approved")
    assert run_worker(200) == []
    review_photo(photo, reviewer, "rejected", "Not yours")
    (email,) = run_worker(261)
    assert "Not yours" in email.body
    assert "is published" not in email.body


@pytest.mark.control("notices")
def test_automatic_approval_is_not_reported_but_a_rejection_is(
    reviewer: User, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    approved = make_photo(title="One")
    rejected = make_photo(title="Two")
    corrected = make_photo(title="Three")
    apply_verdicts(approved, {MANUAL: VerdictValue("approved")})
    for photo in (rejected, corrected):
        apply_verdicts(photo, {MANUAL: VerdictValue("rejected")})
    apply_verdicts(corrected, {MANUAL: VerdictValue("approved")})
    (email,) = run_worker(61)
    assert "One" not in email.body
    assert "Two" in email.body
    assert "Three" not in email.body
    review_photo(rejected, reviewer, "approved")
    assert '"Two" (test) was approved' in run_worker(122)[0].body


@pytest.mark.control("notices")
def test_notice_is_withheld_from_those_who_want_or_need_none(
    user: User,
    reviewer: User,
    make_user: MakeUser,
    make_photo: MakePhoto,
    run_worker: RunWorker,
) -> None:
    unwanted: list[dict[str, Any]] = [
        {"is_active": False},
        {"decision_emails": False},
        {"email": ""},
    ]
    owners = [make_user(f"{number}@example.com") for number in range(4)]
    photos = [make_photo(owner) for owner in (*owners, user)]
    for photo in photos:
        review_photo(photo, reviewer, "approved")
    for owner, fields in zip(owners, unwanted, strict=False):
        User.objects.filter(pk=owner.pk).update(**fields)
    owners[-1].delete()
    delete_photo(photos[-1])
    # So that the worker keeps the row.
    Photo.objects.update(created_at=timezone.now() + timedelta(hours=1))
    assert run_worker(61) == []
    User.objects.update(is_active=True, decision_emails=True)
    assert run_worker(200) == []


@pytest.mark.control("notices")
def test_notice_of_a_killed_worker_is_sent_by_the_next(
    reviewer: User,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    review_photo(make_photo(), reviewer, "approved")

    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(CommandError):
        patch.setattr(EmailBackend, "send_messages", fail)
        assert run_worker(61) == []
    assert len(run_worker(62)) == 1
    assert run_worker(200) == []


def test_clock_that_ran_ahead_delays_no_notice(
    reviewer: User, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    review_photo(make_photo(), reviewer, "approved")
    Photo.objects.update(notify_at=timezone.now() + timedelta(days=1))
    assert len(run_worker(1)) == 1


@pytest.mark.control("notices")
def test_second_worker_sends_nothing(
    reviewer: User,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):
        review_photo(make_photo(), reviewer, "approved")
    send = EmailBackend.send_messages

    def send_beside_another_worker(self: EmailBackend, messages: list[Any]) -> int:
        send_due_notices()
        return int(send(self, messages))

    monkeypatch.setattr(EmailBackend, "send_messages", send_beside_another_worker)
    assert len(run_worker(61)) == 1
