"""Emails to people who are not users: a fixed text, with limits."""

import json
from datetime import timedelta
from email import message_from_string, policy
from email.message import EmailMessage as ParsedMessage
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import mail as django_mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, send_mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import RequestFactory
from django.urls import reverse
from pytest_django import Settings

from secure_django.mail import invitations, suppressions
from secure_django.mail.invitations import Budget, send_invitation
from secure_django.mail.outbox import (
    ConsoleBackend,
    OutboxBackend,
    UnknownRecipientError,
    send_waiting,
)
from secure_django.models import Mail, Suppression
from secure_django.testing import MakeUser, Travel
from secure_django.web.links import absolute_url
from users.models import User

SPELLINGS = [
    "ann.lee@gmail.com",
    "Ann.Lee@GMAIL.com",
    "annlee+shop@gmail.com",
    "a.n.n.l.e.e+1@googlemail.com",
    "ａｎｎｌｅｅ@gmail.com",
]


@pytest.fixture(autouse=True)
def templates(settings: Settings, tmp_path: Path) -> None:
    """Make the two files of an invitation."""
    (tmp_path / "it_subject.txt").write_text("An album\n")
    text = "(autoescape off)[user][project_name]: [url](endautoescape)"
    opening = "{"
    closing = "}"
    tags = {"(": f"{opening}%", ")": f"%{closing}", "[": opening * 2, "]": closing * 2}
    for old, new in tags.items():
        text = text.replace(old, new)
    (tmp_path / "it_message.txt").write_text(text)
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [tmp_path]}]


def invite(user: Any, email: str, *arguments: object, ip: str = "192.0.2.1") -> bool:
    request = RequestFactory().post("/?text=Buy+pills", REMOTE_ADDR=ip)
    request.user = user
    view = "account_reset_password_from_key" if arguments else "home"
    return send_invitation(request, email, "it", view, *arguments)


def invite_as_visitor(number: int, ip: str = "192.0.2.1") -> bool:
    return invite(AnonymousUser(), f"{number}@visitors.example", ip=ip)


def run_passes() -> list[str]:
    """Let the worker send what is due, and return the recipients."""
    while send_waiting():
        pass
    return [message.to[0] for message in django_mail.outbox]


@pytest.fixture
def small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = {kind: Budget(total=5, network=2) for kind in invitations.BUDGETS}
    monkeypatch.setattr(invitations, "BUDGETS", budgets)


@pytest.mark.control("recipients")
@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_email_to_a_person_who_is_not_a_user_is_refused(field: str, user: User) -> None:
    fields: Any = {field: [f"Ann <{user.email}>", "Ann <victim@example.com>"]}
    message = EmailMessage("Hello", "Buy pills", **fields)
    with pytest.raises(UnknownRecipientError, match="send_invitation"):
        message.send()
    with pytest.raises(UnknownRecipientError):
        OutboxBackend().send_messages([message])
    with pytest.raises(UnknownRecipientError):
        ConsoleBackend(stream=StringIO()).send_messages([message])
    assert not django_mail.outbox
    assert not Mail.objects.exists()


def test_users_and_the_team_are_known_recipients(
    user: User, make_user: MakeUser, settings: Settings
) -> None:
    settings.ADMINS = ["Team@example.com"]
    quoted = make_user('"a\\ b"@example.com').email
    team = ["team@example.com", settings.SECURITY_CONTACT]
    for email in (user.email.upper(), f"Ann <{user.email}>", quoted, *team):
        send_mail("Hello", "Text", None, [email])
    assert len(django_mail.outbox) == 5


@pytest.mark.control("recipients")
@pytest.mark.usefixtures("outbox")
def test_invitation_has_a_fixed_text_and_a_link_of_the_site(
    user: User, settings: Settings
) -> None:
    assert invite(user, "Friend@bücher.example", "1a", "t0ken")
    stored = Mail.objects.get()
    assert stored.kind == Mail.Kind.INVITATION
    path = reverse("account_reset_password_from_key", args=["1a", "t0ken"])
    url = absolute_url(path)
    _, _, mime = json.loads(stored.content)
    message = message_from_string(mime, policy=policy.default)
    assert isinstance(message, ParsedMessage)
    assert message["To"] == "friend@xn--bcher-kva.example"
    assert "An album" in message["Subject"]
    assert message.get_content().strip() == f"{settings.SITE_NAME}: {url}"
    assert user.email not in mime


@pytest.mark.control("recipients")
def test_mailbox_is_limited_in_all_its_spellings(make_user: MakeUser) -> None:
    sent = []
    for number, email in enumerate(SPELLINGS):
        sender = make_user(f"{number}@example.com")
        sent.append(invite(sender, email, ip=f"192.0.2.{number}"))
    assert sent == [True, True, False, False, False]
    assert len(django_mail.outbox) == 2


@pytest.mark.control("recipients")
def test_senders_and_networks_are_limited(make_user: MakeUser, user: User) -> None:
    by_sender = [
        invite(user, f"{number}@example.com", ip=f"192.0.2.{number}")
        for number in range(21)
    ]
    assert by_sender == [True] * 20 + [False]
    by_network = []
    for number in range(40):
        sender = make_user(f"{number}@example.org")
        by_network.append(invite(sender, f"{number}@example.net"))
    assert by_network[-1] is False


@pytest.mark.control("recipients")
def test_get_sends_no_invitation(user: User) -> None:
    request = RequestFactory().get("/")
    request.user = user
    with pytest.raises(ValueError, match="by POST"):
        send_invitation(request, "friend@example.com", "it", "home")
    assert not django_mail.outbox


@pytest.mark.control("recipients")
@pytest.mark.django_db
def test_visitor_uses_up_no_invitation_of_others() -> None:
    by_visitor = [
        invite(AnonymousUser(), f"{number}@example.edu") for number in range(41)
    ]
    assert by_visitor == [True] * 40 + [False]
    assert invite(AnonymousUser(), "friend@example.edu", ip="198.51.100.1")


@pytest.mark.control("recipients")
@pytest.mark.parametrize(
    "email",
    [
        "",
        "friend",
        "a@b\nBcc: c@example.com",
        "a@example.com,b@example.com",
        "A <a@example.com>",
        '"a"@example.com',
        "a@[192.0.2.1]",
        "a@localhost",
        "=?utf-8?q?=0a?=@example.com",
        "t\u0131m@example.com",  # a dotless i, which Django accepts
        "tüm@example.com",
        f"a@{'ü' * 70}.example",
    ],
)
def test_malformed_email_sends_nothing(email: str, user: User) -> None:
    with pytest.raises(ValidationError):
        invite(user, email)
    assert not django_mail.outbox


@pytest.mark.control("recipients")
@pytest.mark.parametrize("argument", ["Buy pills", "", "a.example", "x" * 65, "a/b"])
def test_link_takes_ids_and_tokens_alone(argument: str, user: User) -> None:
    with pytest.raises(ValueError, match="neither an id nor a token"):
        invite(user, "friend@example.com", "1a", argument)
    assert not django_mail.outbox


@pytest.mark.control("recipients")
@pytest.mark.django_db
def test_visitors_use_up_no_limit_of_a_member_beside_them(user: User) -> None:
    assert all(invite_as_visitor(number) for number in range(40))
    assert all(invite(user, f"{number}@example.com") for number in range(20))


@pytest.mark.control("recipients")
def test_visitors_use_up_no_mailbox_of_members(user: User) -> None:
    by_visitors = [invite_as_visitor(1, ip=f"192.0.2.{number}") for number in range(3)]
    assert by_visitors == [True, True, False]
    assert invite(user, "1@visitors.example")


@pytest.mark.control("recipients")
@pytest.mark.django_db
def test_refused_network_uses_up_no_mailbox() -> None:
    assert all(invite_as_visitor(number) for number in range(40))
    refused = [invite_as_visitor(number) for number in range(40, 44) for _ in range(2)]
    assert refused == [False] * 8
    assert all(invite_as_visitor(number, ip="192.0.2.2") for number in range(40, 44))


@pytest.mark.control("emails")
@pytest.mark.usefixtures("outbox")
def test_confirmed_invitation_waits_for_days_for_the_mail_server(
    make_user: MakeUser, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: EmailBackend) -> None:
        raise ConnectionRefusedError

    confirmed = []
    for sender in range(16):
        user = make_user(f"{sender}@example.com")
        for number in range(5):
            email = f"{number}@{sender}.example.org"
            if invite(user, email, ip=f"192.0.2.{sender}"):
                confirmed.append(email)
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "open", fail)
        for _ in range(4):
            run_passes()
            travel(timedelta(days=1))  # from Thursday to Tuesday
    assert len(confirmed) == 80
    assert run_passes() == confirmed


@pytest.mark.control("emails")
@pytest.mark.usefixtures("outbox", "small_budgets")
def test_invitation_over_the_budget_is_refused_and_counts_nothing(user: User) -> None:
    confirmed = []
    for number in range(30):
        email = f"{number}@example.com"
        if invite(user, email, ip=f"192.0.2.{number}"):
            confirmed.append(email)
    assert run_passes() == confirmed == [f"{number}@example.com" for number in range(5)]
    assert invite(user, "29@example.com", ip="192.0.2.29")


@pytest.mark.control("emails")
@pytest.mark.usefixtures("outbox", "small_budgets")
def test_waiting_invitations_of_a_network_leave_room_for_others(user: User) -> None:
    by_network = [invite_as_visitor(number) for number in range(9)]
    assert by_network == [True] * 2 + [False] * 7
    assert invite_as_visitor(9, ip="192.0.2.2")
    assert invite(user, "friend@example.com")


@pytest.mark.control("emails")
@pytest.mark.usefixtures("outbox", "small_budgets")
def test_visitors_of_many_networks_delay_and_refuse_no_member(user: User) -> None:
    by_visitors = [
        invite_as_visitor(number, ip=f"192.0.2.{number}") for number in range(9)
    ]
    assert by_visitors == [True] * 5 + [False] * 4
    assert invite(user, "friend@example.com")
    assert run_passes()[0] == "friend@example.com"


@pytest.mark.control("emails")
@pytest.mark.usefixtures("outbox")
def test_network_of_an_invitation_is_stored_as_a_keyed_hash(
    user: User, settings: Settings
) -> None:
    ip = "203.0.113.9"
    assert invite(user, "1@example.com", ip=ip)
    settings.SECRET_KEY = "another" * 10
    assert invite(user, "2@example.com", ip=ip)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM secure_django_mail")
        assert ip not in repr(cursor.fetchall())
    hashes = set(Mail.objects.values_list("network_hash", flat=True))
    assert {len(value) for value in hashes} == {64}
    assert len(hashes) == 2


@pytest.mark.control("suppressions")
@pytest.mark.usefixtures("outbox")
def test_user_learns_that_emails_to_an_invited_address_come_back(user: User) -> None:
    suppressions.block("Gone@example.com", Suppression.Reason.BOUNCE, "postmark")
    with pytest.raises(ValidationError, match="Ask for another one"):
        invite(user, "gone@example.com")
    assert not Mail.objects.exists()
    # A visitor does not learn to whom the site has written.
    assert invite(AnonymousUser(), "gone@example.com")
    assert run_passes() == []
    assert not Mail.objects.exists()


@pytest.mark.control("suppressions")
@pytest.mark.usefixtures("outbox")
def test_user_cannot_ask_for_many_addresses_whether_emails_come_back(
    user: User, settings: Settings
) -> None:
    limits = {"invitation_by_user": "3/h/user"}
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | limits
    for number in range(4):
        email = f"{number}@example.com"
        suppressions.block(email, Suppression.Reason.BOUNCE, "postmark")
        if number < 3:
            with pytest.raises(ValidationError, match="Ask for another one"):
                invite(user, email)
    assert not invite(user, "3@example.com")
