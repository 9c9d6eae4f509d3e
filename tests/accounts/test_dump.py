"""What a copy of the database opens, after each flow in which a session takes part."""

import re
from collections.abc import Callable

import pytest
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core import mail
from django.core.cache import cache

from secure_django.models import Session
from secure_django.sessions import SessionStore
from secure_django.testing import PASSWORD, HTTPSClient, is_logged_in, log_in
from secure_django.testing.dump import find_in_dump, stored_values
from secure_django.testing.people import add_second_factor, code, verify_email
from tests.accounts.test_passkeys import add_passkey, answer, options
from tests.accounts.test_signup import CONFIRM, emailed_code, sign_up
from users.models import User

# A stopped clock: no code of an authenticator app expires.
pytestmark = pytest.mark.usefixtures("travel")

EMAIL = "/accounts/email/"
ACTIVATE = "/accounts/2fa/totp/activate/"
CHANGED = "a harbor at noon"
COOKIE = settings.SESSION_COOKIE_NAME
type Flow = Callable[[HTTPSClient, User], list[str]]


# Each flow returns what a copy of the database must not show, beside the cookie.


def visit(client: HTTPSClient, user: User) -> list[str]:
    client.get(
        "/accounts/2fa/webauthn/login/", headers={"x-requested-with": "XMLHttpRequest"}
    )
    return []


def log_in_with_a_code(client: HTTPSClient, user: User) -> list[str]:
    add_second_factor(user)
    log_in(client, user.email)
    client.post("/accounts/2fa/authenticate/", {"code": code()})
    assert is_logged_in(client)
    return []


def log_in_by_passkey(client: HTTPSClient, user: User) -> list[str]:
    passkey = add_passkey(user)
    answer(client, passkey, options(client), user)
    assert is_logged_in(client)
    return []


def begin_a_sign_up(client: HTTPSClient, user: User) -> list[str]:
    sign_up(client)
    return [emailed_code()]


def finish_a_sign_up(client: HTTPSClient, user: User) -> list[str]:
    (sent_code,) = begin_a_sign_up(client, user)
    client.post(CONFIRM, {"code": sent_code})
    assert is_logged_in(client)
    return []


def begin_a_second_factor(client: HTTPSClient, user: User) -> list[str]:
    log_in(client, user.email)
    return [client.get(ACTIVATE).context["form"].secret]


def set_up_a_second_factor(client: HTTPSClient, user: User) -> list[str]:
    (secret,) = begin_a_second_factor(client, user)
    client.post(ACTIVATE, {"code": code(secret)})
    assert is_mfa_enabled(user)
    return [secret]


def send_a_form_that_asks_for_the_password(
    client: HTTPSClient, user: User
) -> list[str]:
    log_in(client, user.email)
    device = client.cookies[settings.DEVICE_COOKIE_NAME].value
    client.post(EMAIL, {"email": "next@example.com", "action_add": ""})
    return [device, "next@example.com", "next%40example.com"]


def resume_the_form_with_the_password(client: HTTPSClient, user: User) -> list[str]:
    """Send a form, and the password. The site then takes what was sent first."""
    log_in(client, user.email)
    response = client.post(EMAIL, {"email": "next@example.com", "action_add": ""})
    client.post(response.headers["Location"], {"password": PASSWORD})
    assert mail.outbox[-1].to == ["next@example.com"]
    return [emailed_code()]


def change_the_email(client: HTTPSClient, user: User) -> list[str]:
    (sent_code,) = resume_the_form_with_the_password(client, user)
    client.post(CONFIRM, {"code": sent_code})
    user.refresh_from_db()
    assert user.email == "next@example.com"
    return []


def open_the_link_of_a_reset(client: HTTPSClient, user: User) -> list[str]:
    client.post("/accounts/password/reset/", {"email": user.email})
    link = re.search(r"https://\S+/reset/key/\w+-(\S+)/", str(mail.outbox[-1].body))
    assert link, "the email has no link"
    client.get(link[0])
    return [link[1]]


def reset_the_password(client: HTTPSClient, user: User) -> list[str]:
    (token,) = open_the_link_of_a_reset(client, user)
    form = f"/accounts/password/reset/key/{user_pk_to_url_str(user)}-set-password/"
    client.post(form, {"password1": CHANGED, "password2": CHANGED})
    assert is_logged_in(client)
    return [token]


def change_the_password(client: HTTPSClient, user: User) -> list[str]:
    log_in(client, user.email)
    passwords = {"oldpassword": PASSWORD, "password1": CHANGED, "password2": CHANGED}
    client.post("/accounts/password/change/", passwords)
    assert is_logged_in(client)
    return []


FLOWS = [
    visit,
    log_in_with_a_code,
    log_in_by_passkey,
    begin_a_sign_up,
    finish_a_sign_up,
    begin_a_second_factor,
    set_up_a_second_factor,
    send_a_form_that_asks_for_the_password,
    resume_the_form_with_the_password,
    change_the_email,
    open_the_link_of_a_reset,
    reset_the_password,
    change_the_password,
]


@pytest.mark.control("dump")
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
def test_dump_of_the_database_is_no_log_in(
    flow: Flow, client: HTTPSClient, user: User
) -> None:
    verify_email(user)
    cache.set("dump", "of the cache")
    assert find_in_dump("of the cache"), "The cache is elsewhere: search it too."
    secrets = flow(client, user)
    for secret in [client.cookies[COOKIE].value, *secrets]:
        assert not find_in_dump(secret)
    values = {value for _, value in stored_values()}
    hashes = {
        row.session_key for row in [*Session.objects.all(), *UserSession.objects.all()]
    }
    assert {str(key).encode() for key in hashes} <= values
    for value in values:
        assert SessionStore(value.decode(errors="replace")).load() == {}
    for key in hashes:
        thief = HTTPSClient()
        thief.cookies[COOKIE] = str(key)
        assert not is_logged_in(thief)
