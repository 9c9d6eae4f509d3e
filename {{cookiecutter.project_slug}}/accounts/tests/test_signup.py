"""Sign-up, verification of the email, and that neither reveals which accounts exist."""

import re
import time
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core import mail

from accounts.tests.people import LOGIN, is_logged_in
from core.testing import PASSWORD, HTTPSClient, MakeUser
from users.hashers import Argon2idHasher
from users.models import User

SIGNUP, CONFIRM = "/accounts/signup/", "/accounts/confirm-email/"
pytestmark = pytest.mark.django_db


def sign_up(client: HTTPSClient, email: str = "new@example.com", **fields: str) -> Any:
    return client.post(SIGNUP, {"email": email, "password1": PASSWORD, **fields}, follow=True)


def emailed_code() -> str:
    found = re.search(r"^[A-Z]{4}-[A-Z]{4}$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found
    return found[0]


@pytest.mark.control("V6.5.3")
def test_sign_up_requires_the_code_from_the_email(client: HTTPSClient) -> None:
    sign_up(client, "New@Example.com", is_staff="1", is_superuser="1")
    assert not is_logged_in(client)
    message: Any = mail.outbox[0]
    assert message.to == ["new@example.com"]
    assert f"<strong>{emailed_code()}</strong>" in message.alternatives[0].content
    assert f"Hello from {settings.SITE_NAME}!" in message.body
    client.post(CONFIRM, {"code": emailed_code()})
    assert is_logged_in(client)
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser) == (False, False)


@pytest.mark.control("V6.5.5")
def test_sign_up_code_expires_after_ten_minutes(client: HTTPSClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_up(client)
    later = time.time() + 601
    monkeypatch.setattr("time.time", lambda: later)
    client.post(CONFIRM, {"code": emailed_code()})
    assert not is_logged_in(client)


@pytest.mark.control("V6.6.3")
def test_sign_up_code_attempts_are_limited(client: HTTPSClient) -> None:
    sign_up(client)
    for _ in range(3):
        client.post(CONFIRM, {"code": "BBBB-BBBB"})
    client.post(CONFIRM, {"code": emailed_code()})
    assert not is_logged_in(client)


@pytest.mark.control("V6.3.8")
@pytest.mark.parametrize(
    ("url", "fields"),
    [
        (LOGIN, {"login": "owner@example.com", "password": "wrong"}),
        (LOGIN, {"login": "nobody@example.com", "password": "wrong"}),
        (LOGIN, {"login": "disabled@example.com", "password": "wrong"}),
        (SIGNUP, {"email": "owner@example.com", "password1": PASSWORD}),
        (SIGNUP, {"email": "nobody@example.com", "password1": PASSWORD}),
    ],
)
def test_password_is_hashed_exactly_once_for_any_account(
    client: HTTPSClient, user: User, make_user: MakeUser, url: str, fields: dict[str, str]
) -> None:
    make_user("disabled@example.com", is_active=False)
    with (
        patch.object(Argon2idHasher, "encode", autospec=True, side_effect=Argon2idHasher.encode) as encode,
        patch.object(Argon2idHasher, "verify", autospec=True, side_effect=Argon2idHasher.verify) as verify,
    ):
        assert client.post(url, fields).status_code in {200, 302}
    assert encode.call_count + verify.call_count == 1
