"""Sign-up, verification of the email, and that neither reveals which accounts exist."""

import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import settings
from django.core import mail
from django.db.models import PROTECT
from django.utils import timezone

from example.models import Thing
from secure_django.accounts.jobs import delete_unverified
from secure_django.login.hashers import Argon2idHasher
from secure_django.testing import (
    PASSWORD,
    HTTPSClient,
    MakePhoto,
    MakeUser,
    Travel,
    is_logged_in,
    log_in,
)
from secure_django.testing.people import prove_second_factor, verify_email
from tests.events import fields_of
from users.models import User

SIGNUP = "/accounts/signup/"
CONFIRM = "/accounts/confirm-email/"
pytestmark = pytest.mark.django_db


def sign_up(client: HTTPSClient, email: str = "new@example.com", **fields: str) -> Any:
    return client.post(
        SIGNUP, {"email": email, "password1": PASSWORD, **fields}, follow=True
    )


def emailed_code() -> str:
    code = re.search(r"^[A-Z]{4}-[A-Z]{4}$", str(mail.outbox[-1].body), re.MULTILINE)
    assert code, "the email has no code"
    return code[0]


@pytest.mark.control("V6.5.3")
def test_sign_up_requires_the_code_from_the_email(
    client: HTTPSClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    sign_up(client, "New@Example.com", is_staff="1", is_superuser="1")
    assert not is_logged_in(client)
    message: Any = mail.outbox[0]
    assert message.to == ["new@example.com"]
    assert f"Hello from {settings.SITE_NAME}!" in message.body
    assert "It works for 10 minutes" in message.body
    assert "testserver" not in message.body
    client.post(CONFIRM, {"code": emailed_code()})
    assert is_logged_in(client)
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser) == (False, False)
    (created,) = fields_of(caplog, "user_created")
    assert created["user"] == user.pk


def test_new_email_replaces_the_old_one_once_verified(
    client: HTTPSClient, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    old_email = user.email
    new_email = "new@example.com"
    verify_email(user)
    log_in(client, old_email)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/email/", {"email": new_email, "action_add": ""})
    for code, now in (("BBBB-BBBB", old_email), (emailed_code(), new_email)):
        client.post(CONFIRM, {"code": code})
        user.refresh_from_db()
        assert user.email == now
        assert ("user_updated" in caplog.messages) is (now == new_email)
    assert [row.email for row in EmailAddress.objects.all()] == [new_email]
    assert mail.outbox[-1].to == [old_email]
    sentence = f"Your email was changed from {old_email} to {new_email}."
    assert sentence in str(mail.outbox[-1].body)


@pytest.mark.control("V6.3.8")
def test_code_is_sent_once_more_with_the_same_answers_for_any_email(
    user: User, travel: Travel
) -> None:
    pages = []
    for email in ("new@example.com", user.email):
        client = HTTPSClient()
        first = sign_up(client, email).text
        assert "It works for 10 minutes" in first
        assert 'form="resend"' in first
        sent = len(mail.outbox)
        for _ in range(2):
            travel(timedelta(seconds=11))
            again = client.post(CONFIRM, {"action": "resend"}, follow=True)
        assert len(mail.outbox) - sent == (email == "new@example.com")
        pages.append(re.sub(r'value="\w{64}"', "", again.text).replace(email, ""))
        # The second code does not count as a sign-up: one is left for the other email.
        for _ in range(4):
            travel(timedelta(seconds=11))
            assert sign_up(HTTPSClient(), email).status_code == 200
    assert pages[0] == pages[1]
    assert 'form="resend"' not in pages[0]


@pytest.mark.control("V6.5.5")
def test_sign_up_code_expires_after_ten_minutes(
    client: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_up(client)
    later = time.time() + 601
    monkeypatch.setattr("time.time", lambda: later)
    client.post(CONFIRM, {"code": emailed_code()})
    assert not is_logged_in(client)


@pytest.mark.control("V6.6.3")
def test_sign_up_code_attempts_are_limited(client: HTTPSClient) -> None:
    sign_up(client)
    pending = dict(client.session.items())
    for _ in range(3):
        client.post(CONFIRM, {"code": "BBBB-BBBB"})
        # Parallel attempts all read the session before any of them changes it.
        session = client.session
        session.update(pending)
        session.save()
    client.post(CONFIRM, {"code": emailed_code()})
    assert not is_logged_in(client)


@pytest.mark.control("V6.3.8")
@pytest.mark.parametrize("email", ["owner@example.com", "nobody@example.com"])
def test_sign_up_hashes_a_password_once_for_any_email(
    client: HTTPSClient, user: User, email: str
) -> None:
    with patch.object(
        Argon2idHasher, "encode", autospec=True, side_effect=Argon2idHasher.encode
    ) as encode:
        assert (
            client.post(SIGNUP, {"email": email, "password1": PASSWORD}).status_code
            == 302
        )
    assert encode.call_count == 1


@pytest.mark.control("V6.3.8")
def test_sign_up_answers_the_same_for_any_email(user: User) -> None:
    verify_email(user)
    answers = set()
    for email in (user.email, "nobody@example.com"):
        client = HTTPSClient()
        page = sign_up(client, email)
        text = page.text.replace(email, "")
        text = re.sub(r'value="\w{64}"|nonce-?="?[\w-]+', "", text)
        answers.add((str(page.redirect_chain), text, *sorted(client.cookies)))
    assert len(answers) == 1


@pytest.mark.control("V6.1.1")
def test_limits_of_emails_match_the_documentation() -> None:
    limits = {
        "signup": "120/m/ip,600/h/ip",
        "email": "5/h/key",
        "emailed_code": "3/10m/key",
        "change_password": "5/m/user,20/h/user",
        "manage_email": "10/m/user,20/h/user",
    }
    assert settings.ACCOUNT_RATE_LIMITS.items() >= limits.items()
    text = Path(
        apps.get_app_config("secure_django_accounts").path, "SECURITY.md"
    ).read_text(encoding="utf-8")
    assert "at most five emails an hour" in text
    assert "ten minutes and three attempts" in text
    assert "at most 20 times an hour" in text
    assert "120 sign-ups a minute and 600 an hour" in text


@pytest.mark.control("V2.4.1")
@pytest.mark.usefixtures("run_on_commit")
@pytest.mark.parametrize(
    ("page", "emails"),
    [
        ("password/change/", 20),
        ("email/", 20),
        ("2fa/recovery-codes/generate/", 20),
        ("2fa/totp/activate/", 0),
        ("2fa/totp/deactivate/", 1),
        ("2fa/webauthn/add/", 0),
        ("2fa/webauthn/keys/1/remove/", 0),
    ],
)
def test_loop_of_an_action_sends_few_emails(
    page: str, emails: int, client: HTTPSClient, user: User, travel: Travel
) -> None:
    """Forms that are refused count too: those without the right code or passkey."""
    verify_email(user)
    client.force_login(user)
    prove_second_factor(client, user)
    statuses = []
    passwords = [PASSWORD, "a harbor at noon"]
    for number in range(25):
        old, new = passwords
        fields = {"oldpassword": old, "password1": new, "password2": new}
        fields |= {"email": f"new{number}@example.com", "action_add": ""}
        statuses.append(client.post(f"/accounts/{page}", fields).status_code)
        if statuses[-1] == 302:
            passwords.reverse()
        travel(timedelta(seconds=13))  # less often than the limits of a minute
    assert statuses[20:] == [429] * 5
    assert 429 not in statuses[:20]
    assert len(mail.outbox) == emails


@pytest.mark.control("V2.4.1")
@pytest.mark.parametrize("email", ["owner@example.com", "nobody@example.com"])
def test_requested_emails_are_limited_but_never_notices(
    client: HTTPSClient, user: User, travel: Travel, email: str
) -> None:
    verify_email(user)
    statuses = []
    for _ in range(7):
        statuses.append(sign_up(HTTPSClient(), email).status_code)
        travel(timedelta(minutes=4))  # allauth also limits them to one in three minutes
    sent = len(mail.outbox)
    assert statuses == [200] * 5 + [429] * 2
    assert sent == 5
    # Sign-ups cannot use up the links, nor links the codes.
    for _ in range(7):
        response = client.post("/accounts/password/reset/", {"email": email})
        assert response.status_code == 302
    assert len(mail.outbox) == sent + 3
    assert all(message.to == [email] for message in mail.outbox)
    log_in(client, user.email)
    new = {
        "oldpassword": PASSWORD,
        "password1": "a harbor at noon",
        "password2": "a harbor at noon",
    }
    client.post("/accounts/password/change/", new)
    assert mail.outbox[-1].to == [user.email]
    assert len(mail.outbox) == sent + 4


@pytest.mark.control("lock-out")
def test_reset_link_verifies_the_email_and_ends_the_sign_up_of_others(
    client: HTTPSClient,
) -> None:
    other = HTTPSClient()
    sign_up(other, "victim@example.com")
    for _ in range(5):
        sign_up(HTTPSClient(), "victim@example.com")
    client.post("/accounts/password/reset/", {"email": "victim@example.com"})
    link = re.search(r"https://\S+/reset/key/\S+", str(mail.outbox[-1].body))
    assert link, "the email has no link"
    form = client.get(link[0]).headers["Location"]
    client.post(
        form, {"password1": "a harbor at noon", "password2": "a harbor at noon"}
    )
    assert is_logged_in(client)
    for page in (CONFIRM, "/accounts/login/", "/"):
        other.get(page)
    log_in(other, "victim@example.com")
    assert not is_logged_in(other)


@pytest.mark.control("V14.2.7")
def test_sign_up_that_was_never_verified_is_deleted(
    client: HTTPSClient,
    make_user: MakeUser,
    make_photo: MakePhoto,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    kept_users = [
        make_user(f"{name}@example.com")
        for name in ("verified", "staff", "seen", "photographer", "added")
    ]
    for user in kept_users:
        EmailAddress.objects.create(
            user=user, email=user.email, primary=user.email != "added@example.com"
        )
    EmailAddress.objects.filter(user=kept_users[0]).update(verified=True)
    User.objects.filter(pk=kept_users[1].pk).update(is_staff=True)
    seen_user = User.objects.filter(pk=kept_users[2].pk)
    seen_user.update(last_login=timezone.now())
    make_photo(kept_users[3])
    sign_up(client, "old@example.com")
    old = User.objects.get(email="old@example.com")
    days = timedelta(days=settings.UNVERIFIED_ACCOUNT_DAYS)
    User.objects.update(date_joined=timezone.now() - days - timedelta(hours=1))
    sign_up(HTTPSClient(), "new@example.com")
    an_hour_later = timezone.now() - days + timedelta(hours=1)
    User.objects.filter(email="new@example.com").update(date_joined=an_hour_later)
    delete_unverified()
    # The fixture `make_photo` creates the last one.
    expected_emails = {
        *(user.email for user in kept_users),
        "new@example.com",
        "owner@example.com",
    }
    assert set(User.objects.values_list("email", flat=True)) == expected_emails
    assert not EmailAddress.objects.filter(email=old.email).exists()
    deleted = fields_of(caplog, "user_deleted")
    assert deleted == [{"user": old.pk, "reason": "email never verified"}]


def test_sign_up_that_an_app_needs_holds_up_no_other(
    user: User,
    other_user: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    owner = Thing._meta.get_field("owner").remote_field
    monkeypatch.setattr(owner, "on_delete", PROTECT)
    monkeypatch.setattr("secure_django.accounts.jobs.BATCH_SIZE", 2)
    Thing.objects.create(owner=user)
    for person in (user, other_user):
        EmailAddress.objects.create(user=person, email=person.email, primary=True)
    User.objects.update(date_joined=timezone.now() - timedelta(days=999))
    assert not delete_unverified(), "it would begin again at once, for ever"
    assert list(User.objects.all()) == [user]
    assert caplog.messages == [
        "user_deleted",
        "sign-ups not deleted: 1, since rows of others need them",
    ]
