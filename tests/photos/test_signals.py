from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from secure_django.photos.models import Photo, Status
from secure_django.photos.moderation.rules import VerdictValue
from secure_django.photos.services import apply_verdicts, review_photo
from secure_django.photos.signals import photo_decided
from secure_django.testing import MakePhoto
from users.models import User

type Decisions = list[tuple[Photo, str]]


@pytest.fixture
def decisions() -> Iterator[Decisions]:
    received: Decisions = []

    def receive(photo: Photo, status: str, **kwargs: Any) -> None:
        received.append((photo, status))

    photo_decided.connect(receive)
    yield received
    photo_decided.disconnect(receive)


def test_decision_is_announced_after_its_transaction(
    make_photo: MakePhoto,
    user: User,
    decisions: Decisions,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    photo = make_photo()
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        assert review_photo(photo, user, "approved")
        assert decisions == []
    assert decisions == [(photo, Status.APPROVED)]
    announced, _ = decisions[0]
    assert announced.status == Status.APPROVED


@pytest.mark.django_db(transaction=True)
def test_each_change_of_a_decision_is_announced_once(
    make_photo: MakePhoto, user: User, decisions: Decisions
) -> None:
    photo = make_photo()
    rejected = {"aws_rek": VerdictValue("rejected")}
    apply_verdicts(photo, rejected, "Too dark.")
    apply_verdicts(photo, rejected, "Too dark.")
    review_photo(photo, user, "approved")
    review_photo(photo, user, "approved")
    statuses = [status for _, status in decisions]
    assert statuses == [Status.REJECTED, Status.APPROVED]


@pytest.mark.django_db(transaction=True)
def test_photo_that_still_waits_is_not_announced(
    make_photo: MakePhoto, decisions: Decisions
) -> None:
    photo = make_photo()
    apply_verdicts(photo, {"aws_rek": VerdictValue("unknown")})
    photo.refresh_from_db()
    assert photo.status == Status.REVIEW
    assert decisions == []


@pytest.mark.django_db(transaction=True)
def test_error_of_a_receiver_changes_no_decision(
    make_photo: MakePhoto, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError

    photo_decided.connect(fail)
    try:
        assert review_photo(make_photo(), user, "approved")
    finally:
        photo_decided.disconnect(fail)
    assert Photo.objects.get().status == Status.APPROVED
    assert "RuntimeError" in caplog.text
