"""Emails are sent on a thread of their own, and printed while developing."""

import math
from io import StringIO
from threading import BoundedSemaphore

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from core import mail
from core.mail import ConsoleBackend, executor, send_later


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
    caplog.clear()
    monkeypatch.setattr(mail, "waiting", BoundedSemaphore(1))
    sent: list[int] = []
    for send, number in ((sent.append, 1), (math.sqrt, -1), (sent.append, 2)):
        send_later(send, number)
        executor.submit(int).result()
    assert (sent, caplog.messages) == ([1, 2], ["email not sent"])


def test_console_shows_the_text_of_an_email_alone() -> None:
    message = EmailMultiAlternatives("Your code", "Hello!\n\nABCD-ÉFGH\n", "site@example.com", ["owner@example.com"])
    message.attach_alternative("<p>ABCD-ÉFGH</p>", "text/html")
    ConsoleBackend(stream=(printed := StringIO())).send_messages([message])
    head = ["From: site@example.com", "To: owner@example.com", "Subject: Your code"]
    assert printed.getvalue().splitlines() == [*head, "", "Hello!", "", "ABCD-ÉFGH", "-" * 79]
