"""Emails are sent on a thread of their own."""

from threading import BoundedSemaphore

import pytest
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from core import mail
from core.mail import executor, send_later


@pytest.mark.control("V2.3.3")
@pytest.mark.django_db
def test_email_waits_for_the_transaction(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    sent: list[str] = []
    with django_capture_on_commit_callbacks(execute=True):
        send_later(sent.append, "kept")
        with transaction.atomic():
            send_later(sent.append, "rolled back")
            transaction.set_rollback(True)
        assert not sent
    executor.submit(int).result()
    assert sent == ["kept"]


@pytest.mark.control("V16.5.2")
@pytest.mark.usefixtures("run_on_commit")
def test_too_many_waiting_emails_are_discarded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mail, "waiting", BoundedSemaphore(0))
    send_later(pytest.fail)
    assert caplog.messages == ["email discarded: too many are waiting"]
