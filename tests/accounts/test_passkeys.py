"""Attacks on passkeys, and their log-in."""

import json
import logging
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from pytest_django import Settings

from secure_django.testing import HTTPSClient, MakeUser, is_logged_in, log_in
from secure_django.testing.people import add_second_factor, verify_email
from tests.accounts.passkey import Passkey
from tests.events import fields_of
from users.models import User

LOGIN = "/accounts/2fa/webauthn/login/"
CODE = "/accounts/2fa/authenticate/"
REAUTHENTICATE = "/accounts/2fa/webauthn/reauthenticate/"
ADD = "/accounts/2fa/webauthn/add/"


def add_passkey(user: User) -> Passkey:
    verify_email(user)
    passkey = Passkey()
    Authenticator.objects.create(
        user=user, type=Authenticator.Type.WEBAUTHN, data=passkey.data
    )
    return passkey


def options(client: HTTPSClient, url: str = LOGIN) -> Any:
    """Return the options of a page's request to a passkey."""
    page = client.get(url, headers={"x-requested-with": "XMLHttpRequest"})
    return (page.json() if url == LOGIN else page.context["js_data"])["request_options"]


def answer(
    client: HTTPSClient,
    passkey: Passkey,
    request_options: Any,
    user: User,
    url: str = LOGIN,
    **how: Any,
) -> str:
    credential = passkey.sign(request_options, user_pk_to_url_str(user), **how)
    return str(client.post(url, {"credential": credential}).headers["Location"])


@pytest.mark.parametrize(
    ("debug", "site", "link"),
    [
        (True, "", "http://localhost:8000{}"),
        (False, "https://site.example", "https://site.example{}"),
        (False, "https://192.0.2.1", ""),
    ],
)
def test_page_at_an_ip_address_says_where_passkeys_work(
    debug: bool,
    site: str,
    link: str,
    client: HTTPSClient,
    user: User,
    make_user: MakeUser,
    settings: Settings,
) -> None:
    settings.DEBUG, settings.SITE_URL = debug, site
    settings.ALLOWED_HOSTS = ["*"]
    add_passkey(user)
    new_user = make_user("new@example.com")
    verify_email(new_user)
    shown = {}

    def read(path: str, host: str) -> str:
        return client.get(path, SERVER_NAME=host, SERVER_PORT="8000").text

    def visit(path: str) -> None:
        assert "do not work at the address" not in read(path, "localhost")
        shown[path] = read(path, "192.0.2.1")

    visit("/accounts/login/")
    log_in(client, user.email)
    visit(CODE)
    client.force_login(user)
    visit(REAUTHENTICATE)
    client.logout()
    log_in(client, new_user.email)
    for path in ("/accounts/2fa/", ADD):
        visit(path)
        assert "An authenticator app works at any address." in shown[path]
    assert "do not work at the address [::1]" in read(ADD, "[::1]")
    for path, text in shown.items():
        assert "Passkeys do not work at the address" in text, path
        assert "data-passkey" not in text, path
        assert (f'<a href="{link.format(path)}">Open this page' in text) is bool(link)


@pytest.mark.control("V6.5.1")
def test_answer_of_a_passkey_works_once(
    client: HTTPSClient, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    passkey = add_passkey(user)
    request_options = options(client)
    before = dict(client.session.items())
    answer(client, passkey, request_options, user)
    assert is_logged_in(client)
    # Parallel requests read the session before it changes.
    other = HTTPSClient()
    options(other)
    stored = other.session
    stored.update(before)
    stored.save()
    answer(other, passkey, request_options, user)
    assert not is_logged_in(other)
    client.post("/accounts/logout/")
    answer(client, passkey, request_options, user)
    assert not is_logged_in(client)
    fields, _ = fields_of(caplog, "authn_login_fail")
    assert fields == {"user": None, "path": LOGIN, "factor": "webauthn"}
    assert passkey.id.hex() not in caplog.text


@pytest.mark.control("V6.3.3")
def test_passkey_without_pin_needs_the_password(
    client: HTTPSClient, user: User, other_user: User
) -> None:
    passkey = add_passkey(user)
    answer(client, passkey, options(client), user, verified=False)
    assert not is_logged_in(client)
    # The second step of the attacker's own account does not ask for a PIN.
    verify_email(other_user)
    factor = add_second_factor(other_user)
    log_in(client, other_user.email)
    request_options = options(client, CODE)
    factor.delete()
    assert (
        answer(client, passkey, request_options, user, verified=False)
        == "/accounts/login/"
    )
    assert not is_logged_in(client)
    log_in(client, user.email)
    answer(client, passkey, options(client, CODE), user, CODE, verified=False)
    assert is_logged_in(client)


@pytest.mark.control("V6.3.3")
@pytest.mark.parametrize(
    "origin",
    ["https://other.testserver", "https://testserver:444", "http://testserver"],
)
def test_passkey_used_on_another_site_does_not_log_in(
    client: HTTPSClient, user: User, origin: str
) -> None:
    passkey = add_passkey(user)
    answer(client, passkey, options(client), user, origin=origin)
    assert not is_logged_in(client)


def test_passkey_needs_an_active_user_with_verified_email(
    client: HTTPSClient, user: User, other_user: User
) -> None:
    passkey = add_passkey(user)
    passkey_of_another_user = add_passkey(other_user)
    answer(client, passkey, options(client), other_user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert answer(client, passkey, options(client), user) == "/accounts/inactive/"
    User.objects.filter(pk=user.pk).update(is_active=True)
    EmailAddress.objects.filter(user=user).delete()
    assert answer(client, passkey, options(client), user) == "/accounts/confirm-email/"
    request_options = options(HTTPSClient())
    assert not is_logged_in(client)
    client = HTTPSClient()
    # Of another session.
    answer(client, passkey_of_another_user, request_options, other_user)
    request_options = options(client)
    Authenticator.objects.all().delete()
    answer(client, passkey_of_another_user, request_options, other_user)
    assert not is_logged_in(client)


@pytest.mark.control("V7.5.1")
def test_passkey_of_another_user_does_not_reauthenticate(
    client: HTTPSClient, user: User, other_user: User
) -> None:
    passkey = add_passkey(user)
    passkey_of_another_user = add_passkey(other_user)
    answer(client, passkey, options(client), user)
    for signer, handle, is_accepted in (
        (passkey_of_another_user, user, False),
        (passkey_of_another_user, other_user, False),
        (passkey, user, True),
    ):
        answer(client, signer, options(client, REAUTHENTICATE), handle, REAUTHENTICATE)
        assert (client.get(ADD).status_code == 200) is is_accepted


@pytest.mark.control("V16.5.1")
def test_malformed_answers_of_a_passkey_are_refused(
    client: HTTPSClient, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    passkey = add_passkey(user)
    log_in(client, user.email)
    answers = ["[" * 100_000, "1" * 5000, '"\\ud800"', '{"id": 1}']
    for name, value in (
        ("clientExtensionResults", []),
        ("response", {"authenticatorData": "gYGB" * 1000}),
    ):
        valid = json.loads(passkey.sign(options(client, CODE), ""))
        answers.append(
            json.dumps(
                valid
                | {
                    name: valid["response"] | value
                    if isinstance(value, dict)
                    else value
                }
            )
        )
    for credential in answers:
        cache.clear()
        assert client.post(CODE, {"credential": credential}).status_code == 200
        assert HTTPSClient().post(LOGIN, {"credential": credential}).status_code == 302
    failures = fields_of(caplog, "authn_login_fail")
    assert [fields["user"] for fields in failures] == [user.pk, None] * len(answers)
    answer(client, passkey, options(client, CODE), user, CODE)
    options(client, REAUTHENTICATE)
    assert client.post(REAUTHENTICATE, {"credential": answers[0]}).status_code == 302
    answer(client, passkey, options(client, REAUTHENTICATE), user, REAUTHENTICATE)
    for credential in answers:
        assert client.post(ADD, {"credential": credential}).status_code == 200
