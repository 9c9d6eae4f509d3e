"""What a copy of the database opens, after each flow in which a session takes part."""

import re
from collections.abc import Callable

import pytest
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
REAUTHENTICATE = "/accounts/reauthenticate/"
CHANGED = "a harbor at noon"
SECRETS: list[str] = []


def cookie_of(client: HTTPSClient) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def visit(client: HTTPSClient, user: User) -> None:
    client.get(
        "/accounts/2fa/webauthn/login/", headers={"x-requested-with": "XMLHttpRequest"}
    )


def log_in_with_a_code(client: HTTPSClient, user: User) -> None:
    add_second_factor(user)
    log_in(client, user.email)
    client.post("/accounts/2fa/authenticate/", {"code": code()})
    assert is_logged_in(client)


def log_in_by_passkey(client: HTTPSClient, user: User) -> None:
    passkey = add_passkey(user)
    answer(client, passkey, options(client), user)
    assert is_logged_in(client)


def sign_up_with_a_code(client: HTTPSClient, user: User) -> None:
    sign_up(client)
    client.post(CONFIRM, {"code": emailed_code()})
    assert is_logged_in(client)


def wait_for_the_code_of_a_sign_up(client: HTTPSClient, user: User) -> None:
    sign_up(client)


def begin_a_second_factor(client: HTTPSClient, user: User) -> None:
    log_in(client, user.email)
    SECRETS.append(client.get(ACTIVATE).context["form"].secret)


def set_up_a_second_factor(client: HTTPSClient, user: User) -> None:
    begin_a_second_factor(client, user)
    client.post(ACTIVATE, {"code": code(SECRETS[-1])})
    assert is_mfa_enabled(user)


def begin_to_prove_it_again(client: HTTPSClient, user: User) -> None:
    log_in(client, user.email)
    device = client.cookies[settings.DEVICE_COOKIE_NAME].value
    client.post(EMAIL, {"email": "next@example.com", "action_add": ""})
    SECRETS.extend([device, "next@example.com", "next%40example.com"])


def prove_it_again(client: HTTPSClient, user: User) -> None:
    """Resume the stored POST: the code for the new email is sent."""
    log_in(client, user.email)
    response = client.post(EMAIL, {"email": "next@example.com", "action_add": ""})
    client.post(response.headers["Location"], {"password": PASSWORD})
    assert mail.outbox[-1].to == ["next@example.com"]


def change_the_email(client: HTTPSClient, user: User) -> None:
    prove_it_again(client, user)
    client.post(CONFIRM, {"code": emailed_code()})
    user.refresh_from_db()
    assert user.email == "next@example.com"


def reset_the_password(client: HTTPSClient, user: User) -> None:
    client.post("/accounts/password/reset/", {"email": user.email})
    link = re.search(r"https://\S+/reset/key/\S+", str(mail.outbox[-1].body))
    assert link, "the email has no link"
    form = client.get(link[0]).headers["Location"]
    client.post(form, {"password1": CHANGED, "password2": CHANGED})
    assert is_logged_in(client)


def change_the_password(client: HTTPSClient, user: User) -> None:
    log_in(client, user.email)
    passwords = {"oldpassword": PASSWORD, "password1": CHANGED, "password2": CHANGED}
    client.post("/accounts/password/change/", passwords)
    assert is_logged_in(client)


FLOWS = [
    visit,
    log_in_with_a_code,
    log_in_by_passkey,
    sign_up_with_a_code,
    wait_for_the_code_of_a_sign_up,
    begin_a_second_factor,
    set_up_a_second_factor,
    begin_to_prove_it_again,
    prove_it_again,
    change_the_email,
    reset_the_password,
    change_the_password,
]


@pytest.mark.control("dump")
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
def test_dump_of_the_database_is_no_log_in(
    flow: Callable[[HTTPSClient, User], None], client: HTTPSClient, user: User
) -> None:
    SECRETS.clear()
    verify_email(user)
    cache.set("dump", "of the cache")
    assert find_in_dump("of the cache"), "The cache is elsewhere: search it too."
    flow(client, user)
    for secret in [cookie_of(client), *SECRETS]:
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
        thief.cookies[settings.SESSION_COOKIE_NAME] = str(key)
        assert not is_logged_in(thief)
