"""Emails wait in the database for the worker, and are printed while developing."""

from contextlib import suppress
from datetime import timedelta
from io import StringIO
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any
from unittest.mock import Mock

import pytest
from cryptography.fernet import Fernet
from django.core import mail as django_mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from secure_django.due import DueQuerySet
from secure_django.mail import outbox as mail
from secure_django.mail.outbox import ConsoleBackend
from secure_django.models import Mail
from secure_django.testing import Travel

RECIPIENT = "owner@example.com"
pytestmark = pytest.mark.usefixtures("outbox")


def write(to: str = RECIPIENT, **fields: Any) -> Any:
    """Let an email wait, and return it."""
    message = EmailMultiAlternatives(
        "Your code", "Hello!\n\nABCD-ÉFGH\n", "site@example.com", [to]
    )
    message.attach_alternative("<p>ABCD-ÉFGH</p>", "text/html")
    # allauth's emails have a kind, and go to anyone.
    vars(message).update({"kind": Mail.Kind.NORMAL} | fields)
    message.send()
    return message


def recipients() -> list[str]:
    return [message.to[0] for message in django_mail.outbox]


def run_passes() -> None:
    """Let the worker send what is due."""
    while mail.send_waiting():
        pass


@pytest.mark.control("V2.3.3")
def test_email_waits_for_the_transaction() -> None:
    write("kept@example.com")
    with transaction.atomic():
        write("rolled-back@example.com")
        transaction.set_rollback(True)
    assert recipients() == []
    call_command("worker", "--once")
    assert recipients() == ["kept@example.com"]
    assert not Mail.objects.exists()


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 10), (2, 15), (12, 865), (9999, 900)]
)
@pytest.mark.usefixtures("travel")  # the clock stands still
def test_next_attempt_comes_later_each_time(attempts: int, seconds: int) -> None:
    wait = Mail(attempts=attempts).next_attempt() - timezone.now()
    assert round(wait.total_seconds()) == seconds


@pytest.mark.control("fernet")
def test_waiting_email_cannot_be_read_in_the_database() -> None:
    write()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM secure_django_mail")
        row = repr(cursor.fetchall())
    assert not any(text in row for text in (RECIPIENT, "Hello", "ABCD", "RkdI"))
    run_passes()
    message: Any = django_mail.outbox[0].message()
    leaves = [part for part in message.walk() if not part.is_multipart()]
    parts = [leaf.get_content().strip().split() for leaf in leaves]
    assert message["To"] == RECIPIENT
    assert parts == [["Hello!", "ABCD-ÉFGH"], ["<p>ABCD-ÉFGH</p>"]]


@pytest.mark.control("emails")
@pytest.mark.parametrize("kind", mail.BUDGETS)
def test_flood_delays_and_discards_no_other_email(
    kind: Mail.Kind, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(mail.BUDGETS[kind] + 9):
        write(f"{number}@example.com", kind=kind)
    others = [other for other in Mail.Kind if other < kind]
    for other in others:
        write(kind=other)
    run_passes()
    count = len(others)
    numbers = range(9, mail.BUDGETS[kind] + 9)
    assert recipients()[:count] == [RECIPIENT] * count
    assert recipients()[count:] == [f"{number}@example.com" for number in numbers]
    assert caplog.messages == [
        f"emails discarded: 9 of kind {kind.name}, since too many wait"
    ]


@pytest.mark.control("emails")
def test_email_of_a_killed_worker_is_sent_by_another(
    travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    send = EmailBackend.send_messages

    def send_and_die(*args: Any) -> None:
        send(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(EmailBackend, "send_messages", send_and_die)
        # Nothing runs after the end of a process.
        patch.setattr(DueQuerySet, "reschedule", Mock(side_effect=KeyboardInterrupt))
        mail.send_waiting()
    run_passes()
    assert len(recipients()) == 1
    travel(mail.CLAIM + timedelta(seconds=1))
    run_passes()
    first, second = (message.message()["Message-ID"] for message in django_mail.outbox)
    assert first == second  # mail programs show it once


@pytest.mark.control("emails")
def test_clock_that_ran_ahead_delays_no_email(travel: Travel) -> None:
    travel(timedelta(days=1))
    write()
    write("claimed@example.com")
    Mail.objects.order_by("-pk").claim(1, mail.CLAIM)
    travel(timedelta(days=-1))
    run_passes()
    assert len(recipients()) == 2


@pytest.mark.control("emails")
def test_two_workers_send_each_email_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}@example.com" for number in range(6)]
    for name in names:
        write(name)
    send = EmailBackend.send_messages

    def send_beside_another_worker(self: EmailBackend, messages: list[Any]) -> int:
        mail.send_waiting()
        return int(send(self, messages))

    monkeypatch.setattr(EmailBackend, "send_messages", send_beside_another_worker)
    run_passes()
    assert sorted(recipients()) == names


@pytest.mark.control("emails")
def test_mail_server_that_is_away_loses_nothing(
    travel: Travel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: EmailBackend) -> None:
        raise ConnectionRefusedError(RECIPIENT)

    write()
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "open", fail)
        for _ in range(300):
            assert mail.send_waiting() is False
            travel(timedelta(seconds=2))
    assert 50 <= len(caplog.messages) <= 61  # no connection at each pass
    assert set(caplog.messages) == {
        "emails wait: the connection to the mail server failed"
    }
    travel(mail.RETRY)
    run_passes()
    assert recipients() == [RECIPIENT]


@pytest.mark.control("emails")
def test_expired_email_is_deleted_unsent(
    travel: Travel, caplog: pytest.LogCaptureFixture
) -> None:
    # The loss of the second is no error.
    for kind in (Mail.Kind.NORMAL, Mail.Kind.UNKNOWN):
        write("code@example.com", kind=kind, lifetime=timedelta(minutes=10))
    write("notice@example.com")
    travel(timedelta(minutes=11))
    run_passes()
    assert recipients() == ["notice@example.com"]
    assert caplog.messages == ["emails expired: 1"]
    assert not Mail.objects.exists()


@pytest.mark.control("V16.5.2")
@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (SMTPRecipientsRefused({RECIPIENT: (550, b"unknown")}), mail.REFUSALS),
        (ValueError(RECIPIENT), mail.REFUSALS),
        (SMTPRecipientsRefused({RECIPIENT: (450, b"later")}), 99),
        (SMTPServerDisconnected(RECIPIENT), 99),
        (SystemExit(RECIPIENT), 99),
    ],
)
def test_email_that_cannot_be_sent_stops_no_other(
    error: BaseException,
    tries: int,
    travel: Travel,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    send_messages = EmailBackend.send_messages
    tried_emails = list[Any]()

    def refuse_one(self: EmailBackend, messages: list[Any]) -> int:
        if messages[0].to == [RECIPIENT]:
            tried_emails.append(None)
            raise error
        return int(send_messages(self, messages))

    monkeypatch.setattr(EmailBackend, "send_messages", refuse_one)
    write()
    write("other@example.com")
    for _ in range(12):
        with suppress(SystemExit):
            run_passes()
        with suppress(SystemExit):  # it ends a pass
            run_passes()
        assert recipients() == ["other@example.com"]
        travel(timedelta(minutes=15))
    assert len(tried_emails) == min(tries, 12)
    assert Mail.objects.count() == (tries == 99)
    assert "email not sent" in caplog.messages or isinstance(
        error, (SMTPServerDisconnected, SystemExit)
    )
    assert RECIPIENT not in "".join(caplog.messages)


@pytest.mark.control("emails")
def test_email_without_its_key_waits_for_it(travel: Travel, settings: Settings) -> None:
    write()
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    for _ in range(mail.REFUSALS + 2):
        run_passes()
        travel(timedelta(minutes=15))
    assert recipients() == []
    settings.FIELD_ENCRYPTION_KEYS = keys
    run_passes()
    assert recipients() == [RECIPIENT]


def test_console_shows_the_text_of_an_email_alone() -> None:
    message = EmailMultiAlternatives(
        "Your code", "Hello!\n\nABCD-ÉFGH\n", "site@example.com", ["owner@example.com"]
    )
    message.attach_alternative("<p>ABCD-ÉFGH</p>", "text/html")
    vars(message).update(kind=Mail.Kind.NORMAL)
    ConsoleBackend(stream=(printed := StringIO())).send_messages([message])
    head = ["From: site@example.com", "To: owner@example.com", "Subject: Your code"]
    body = ["", "Hello!", "", "ABCD-ÉFGH", "-" * 79]
    assert printed.getvalue().splitlines() == [*head, *body]
