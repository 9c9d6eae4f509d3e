"""A provider of single sign-on over HTTP, and what it can lie about.

Copied into a project with the recipe of single sign-on.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, ARG001, D102, D107, INP001, PLR0913, PLR0917

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.apps import apps
from django.contrib.auth.tokens import default_token_generator
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from secure_django.testing import (
    HTTPSClient,
    MakeUser,
    in_environment,
    is_logged_in,
    log_in,
)
from secure_django.web.links import absolute_url
from users.models import User

HAS_ACCOUNTS = apps.is_installed("secure_django.accounts")
ABSENT = object()
EMAIL = "owner@example.com"


class Provider(ThreadingHTTPServer):
    """An honest provider; tests change what it answers.

    Codes are for one use, and their verifier is checked.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.issuer = f"{self.origin}/realm"
        self.codes: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.claims: dict[str, Any] = {}  # of the id token, in place of the true ones
        self.userinfo: dict[str, Any] = {}
        # By path, in place of the true ones.
        self.answers: dict[str, tuple[int, dict[str, str], Any]] = {}
        self.token: dict[str, Any] = {}

    def authorize(self, query: dict[str, str], **claims: Any) -> str:
        """Return a code for a person, who has agreed."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        person = {"sub": "1", "email": EMAIL, "email_verified": True} | claims
        self.codes[code] = {
            "challenge": query["code_challenge"],
            "nonce": query["nonce"],
            "person": person,
        }
        return code

    def exchange(self, form: dict[str, str]) -> dict[str, Any] | None:
        found = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            not found
            or base64.urlsafe_b64encode(digest).decode().rstrip("=")
            != found["challenge"]
        ):
            return None
        person = found["person"]
        now = int(time.time())
        true = {
            "iss": self.issuer,
            "aud": "client:id",
            "nonce": found["nonce"],
            "iat": now,
            "exp": now + 60,
        } | person
        claims = {
            name: value
            for name, value in (true | self.claims).items()
            if value is not ABSENT
        }
        self.person = {
            name: value
            for name, value in (person | self.userinfo).items()
            if value is not ABSENT
        }
        # Not by a library, which checks the types of what it signs. Nobody checks the
        # signature.
        parts = [
            json.dumps(part).encode() for part in ({"alg": "RS256", "kid": "1"}, claims)
        ]
        token = ".".join(
            base64.urlsafe_b64encode(part).decode().rstrip("=")
            for part in [*parts, b"signature"]
        )
        return {
            "access_token": "access",
            "token_type": "Bearer",
            "id_token": token,
        } | self.token


class Handler(BaseHTTPRequestHandler):
    """The pages of the provider."""

    server: Provider

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        form = dict(parse_qsl(self.rfile.read(length).decode()))
        self.server.forms.append(form)
        answer = (
            self.server.exchange(form)
            if self.path == "/token" and self.path not in self.server.answers
            else None
        )
        self.reply((200 if answer else 400), {}, answer or {"error": "invalid_grant"})

    def do_GET(self) -> None:
        base = self.server.origin
        pages = {
            "/realm/.well-known/openid-configuration": {
                "issuer": "https://liar.example",  # which the variable overrides
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "userinfo_endpoint": f"{base}/userinfo",
                "end_session_endpoint": f"{base}/end",
                "jwks_uri": f"{base}/keys",
            },
            "/userinfo": getattr(self.server, "person", {}),
        }
        self.reply(200 if self.path in pages else 404, {}, pages.get(self.path, {}))

    def reply(self, status: int, headers: dict[str, str], content: Any) -> None:
        self.server.requests.append(self.path)
        status, headers, content = self.server.answers.get(
            self.path, (status, headers, content)
        )
        body = (
            content.encode()
            if isinstance(content, str)
            else json.dumps(content).encode()
        )
        self.send_response(status)
        for name, value in (
            {"Content-Type": "application/json", "Content-Length": str(len(body))}
            | headers
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def serve() -> Iterator[Provider]:
    with Provider() as server:
        Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        yield server
        server.shutdown()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Provider]:
    for server in serve():
        url = f"http://client%3Aid:s%2Fcret@127.0.0.1:{server.server_port}/realm?domains=new.example"
        found = in_environment(monkeypatch, OIDC_URL=url)
        for name in (
            "OIDC",
            "SOCIALACCOUNT_PROVIDERS",
            "LOGOUT_REDIRECT_URL",
            "SECURE_CSP",
        ):
            setattr(settings, name, found[name])
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Provider]:
    yield from serve()


def begin(
    client: HTTPSClient, path: str = "/sso/login/", **fields: str
) -> dict[str, str]:
    """Press the button; return the query that the browser brings to the provider."""
    response = client.post(path, fields)
    assert response.status_code == 302
    return {
        name: values[0]
        for name, values in parse_qs(
            urlsplit(response.headers["Location"]).query
        ).items()
    }


def finish(client: HTTPSClient, query: dict[str, str], code: str) -> Any:
    """Come back from the provider."""
    return client.get("/sso/callback/", {"state": query["state"], "code": code})


def come_in(client: HTTPSClient, provider: Provider, **claims: Any) -> Any:
    query = begin(client)
    return finish(client, query, provider.authorize(query, **claims))


def assert_refused(client: HTTPSClient, response: Any) -> None:
    assert response.status_code == 302
    assert response.headers.get("Location") == "/accounts/login/"
    assert "The log-in did not work." in client.get("/accounts/login/").text
    assert not is_logged_in(client)
    assert not SocialAccount.objects.exists()


def test_account_is_found_by_its_email_once_and_by_the_id_later(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    client.get("/accounts/login/")
    response = come_in(
        client,
        provider,
        email="OWNER@example.com",
        name="Ann",
        picture="https://example.com/ann.jpg",
    )
    assert response.headers["Location"] == "/"
    assert is_logged_in(client)
    assert client.session["_auth_user_id"] == str(user.pk)
    link = SocialAccount.objects.get(user=user)
    assert link.provider == "sso"
    assert link.uid == "1"
    assert sorted(link.extra_data) == ["nonce", "sub"]
    assert not SocialToken.objects.exists()
    assert User.objects.count() == 1
    client.post("/accounts/logout/")
    User.objects.update(email="ann@example.com")
    come_in(client, provider, email="married@example.com")
    assert client.session["_auth_user_id"] == str(user.pk)
    assert User.objects.get().email == "ann@example.com"


def test_owner_is_told_of_the_link(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    come_in(client, provider)
    (message,) = mail.outbox
    assert message.to == [EMAIL]
    client.post("/accounts/logout/")
    come_in(client, provider)
    assert len(mail.outbox) == 1


def test_client_sends_its_secret_and_a_verifier(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    query = begin(client)
    assert query["redirect_uri"] == absolute_url("/sso/callback/")
    assert query["client_id"] == "client:id"
    finish(client, query, provider.authorize(query))
    (form,) = provider.forms
    assert (form["client_id"], form["client_secret"]) == ("client:id", "s/cret")
    assert query["code_challenge"] != form["code_verifier"]


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://liar.example"},
        {"iss": ABSENT},
        {"aud": "another"},
        {"aud": ABSENT},
        {"nonce": "another"},
        {"nonce": ABSENT},
        {"nonce": None},
        {"exp": 1},
        {"exp": "soon"},
        {"exp": 10**30, "jti": "1"},
        {"sub": ABSENT},
        {"sub": "2"},
        {"sub": None},
        {"sub": 1},
    ],
    ids=str,
)
def test_lie_in_the_token_is_refused(
    client: HTTPSClient, provider: Provider, user: User, lie: dict[str, Any]
) -> None:
    provider.claims = lie
    assert_refused(client, come_in(client, provider))


@pytest.mark.parametrize(
    "lie",
    [
        {"email_verified": False},
        {"email_verified": ABSENT},
        {"email_verified": None},
        {"email_verified": "false"},
        {"email_verified": [True]},
        {"email": ABSENT},
        {"email": ""},
        {"email": "owner@example.com, other@example.com"},
        {"email": "owner@example.com\0"},
        {"email": ["owner@example.com"]},
        {"sub": "2"},
        {"sub": ABSENT},
        {"sub": ""},
        {"sub": ["1"]},
        {"sub": "1" * 200},
        {"sub": "1\0"},
    ],
    ids=str,
)
def test_lie_about_the_person_is_refused(
    client: HTTPSClient, provider: Provider, user: User, lie: dict[str, Any]
) -> None:
    provider.userinfo = lie
    assert_refused(client, come_in(client, provider))


@pytest.mark.parametrize(
    "token",
    [
        {"id_token": None},
        {"id_token": "junk"},
        {"id_token": 1},
        {"id_token": "e30.e30."},
        {"access_token": None, "expires_in": "soon"},
        {"expires_in": 10**30},
        {"expires_in": [1]},
    ],
    ids=str,
)
def test_malformed_token_is_refused(
    client: HTTPSClient, provider: Provider, user: User, token: dict[str, Any]
) -> None:
    provider.token = token
    assert_refused(client, come_in(client, provider))


@pytest.mark.parametrize(
    "path", ["/token", "/userinfo", "/realm/.well-known/openid-configuration"]
)
@pytest.mark.parametrize(
    "answer",
    [(200, "<html>"), (200, ["a"]), (200, {"sub": "1"}), (500, {}), (204, "")],
    ids=str,
)
def test_malformed_answer_is_refused(
    client: HTTPSClient,
    provider: Provider,
    user: User,
    path: str,
    answer: tuple[int, Any],
) -> None:
    query = begin(client)
    code = provider.authorize(query)
    provider.answers[path] = (answer[0], {}, answer[1])
    assert_refused(client, finish(client, query, code))


@pytest.mark.parametrize(
    "path", ["/token", "/userinfo", "/realm/.well-known/openid-configuration"]
)
@pytest.mark.parametrize("status", [302, 307])
def test_provider_cannot_send_the_site_elsewhere(
    client: HTTPSClient,
    provider: Provider,
    elsewhere: Provider,
    user: User,
    path: str,
    status: int,
) -> None:
    query = begin(client)
    code = provider.authorize(query)
    provider.answers[path] = (status, {"Location": f"{elsewhere.origin}{path}"}, {})
    assert_refused(client, finish(client, query, code))
    assert not elsewhere.requests


def test_provider_that_is_down_or_malformed_leads_back(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    provider.answers["/realm/.well-known/openid-configuration"] = (
        200,
        {},
        {"issuer": provider.issuer},
    )
    assert_refused(client, client.post("/sso/login/"))
    assert client.get("/sso/logout/").headers["Location"] == "/"
    query = {"state": "1"}
    provider.shutdown()
    provider.server_close()
    assert_refused(client, client.post("/sso/login/"))
    assert_refused(client, finish(client, query, "1"))
    assert client.get("/sso/logout/").headers["Location"] == "/accounts/login/"


def test_email_of_an_account_that_is_linked_lets_nobody_else_in(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    come_in(client, provider)
    client.post("/accounts/logout/")
    response = come_in(client, provider, sub="2")
    assert response.headers["Location"] == "/accounts/login/"
    assert not is_logged_in(client)
    assert SocialAccount.objects.get().uid == "1"


def test_sign_up_that_proved_no_email_and_a_disabled_account_stay_closed(
    client: HTTPSClient, provider: Provider, user: User, make_user: MakeUser
) -> None:
    EmailAddress.objects.create(user=user, email=user.email, primary=True)
    assert_refused(client, come_in(client, provider))
    make_user("gone@example.com", is_active=False)
    come_in(client, provider, sub="2", email="gone@example.com")
    assert not is_logged_in(client)


def test_email_that_another_user_waits_for_leads_to_an_account_of_its_own(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    EmailAddress.objects.create(
        user=user, email=user.email, primary=True, verified=True
    )
    EmailAddress.objects.create(user=user, email="ann@new.example")
    come_in(client, provider, email="ann@new.example")
    assert (
        client.session["_auth_user_id"]
        == str(User.objects.get(email="ann@new.example").pk)
        != str(user.pk)
    )
    assert EmailAddress.objects.get(user=user).email == user.email


def test_letters_that_become_those_of_another_email_are_refused(
    client: HTTPSClient, provider: Provider, make_user: MakeUser
) -> None:
    make_user("mike@example.com")
    for email in (
        "mi\u212ae@example.com",
        "mike@example.com\u200b",
        "mike@e\u212ample.com",
    ):
        assert_refused(client, come_in(client, provider, email=email))


def test_new_people_come_in_by_domain(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    emails = [
        "a@example.org",
        "a@sub.new.example",
        "a@new.example.org",
        "a@evilnew.example",
        "new.example@example.org",
    ]
    for email in emails:
        assert_refused(client, come_in(client, provider, email=email))
    assert User.objects.get() == user
    come_in(client, provider, email="Ann@New.Example")
    new = User.objects.exclude(pk=user.pk).get()
    assert new.email == "ann@new.example"
    assert not new.has_usable_password()
    assert new.is_staff is False
    assert new.is_superuser is False
    assert client.session["_auth_user_id"] == str(new.pk)
    client.post("/accounts/logout/")
    assert (
        come_in(client, provider, email="bob@new.example", sub="1").headers["Location"]
        == "/"
    )
    assert User.objects.count() == 2


def test_new_person_with_an_unverified_email_is_refused(
    client: HTTPSClient, provider: Provider, db: None
) -> None:
    assert_refused(
        client, come_in(client, provider, email="ann@new.example", email_verified=False)
    )
    assert not User.objects.exists()


def test_code_and_state_are_for_one_use_and_one_browser(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    query = begin(client)
    code = provider.authorize(query)
    other = HTTPSClient()
    assert_refused(other, finish(other, query, code))
    assert not provider.forms
    # The code of one browser with the state of another.
    own = begin(other)
    assert_refused(other, finish(other, own, code))
    query = begin(client)
    code = provider.authorize(query)
    assert finish(client, query, code).headers["Location"] == "/"
    client.post("/accounts/logout/")
    sent = len(provider.forms)
    assert finish(client, query, code).headers["Location"] == "/accounts/login/"
    assert len(provider.forms) == sent
    again = begin(client)
    assert finish(client, again, code).headers["Location"] == "/accounts/login/"
    assert not is_logged_in(client)


def test_session_gets_a_new_key(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    query = begin(client)
    before = client.session.session_key
    finish(client, query, provider.authorize(query))
    assert client.session.session_key != before


@pytest.mark.parametrize(
    "url",
    [
        "https://liar.example/",
        "//liar.example/",
        "https:liar.example",
        "javascript:alert(1)",
    ],
)
def test_log_in_leads_to_no_other_site(
    client: HTTPSClient, provider: Provider, user: User, url: str
) -> None:
    query = begin(client, next=url)
    assert finish(client, query, provider.authorize(query)).headers["Location"] == "/"


def test_log_in_leads_to_the_next_page_and_takes_nothing_else_from_the_url(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    lies = "auth_params=nonce%3D1%26redirect_uri%3Dhttps://liar.example%26response_type%3Dtoken&scope=admin&process=connect"
    query = begin(
        client,
        f"/sso/login/?{lies}",
        next="/accounts/password/change/",
        process="redirect",
        nonce="1",
    )
    assert query["redirect_uri"] == absolute_url("/sso/callback/")
    assert query["nonce"] != "1"
    assert sorted(query["scope"].split()) == ["email", "openid", "profile"]
    response = finish(client, query, provider.authorize(query))
    assert response.headers["Location"] == "/accounts/password/change/"
    assert is_logged_in(client)


def test_forged_and_cancelled_answers_are_refused(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    for query in ({}, {"code": "1"}, {"state": "1", "code": "1"}):
        assert_refused(client, client.get("/sso/callback/", query))
    for error in ("access_denied", "server_error", "<script>"):
        state = begin(client)["state"]
        assert_refused(
            client, client.get("/sso/callback/", {"state": state, "error": error})
        )
    assert (
        client.get("/sso/login/").status_code
        == client.post("/sso/callback/").status_code
        == 405
    )
    forger = HTTPSClient(enforce_csrf_checks=True)
    assert forger.post("/sso/login/").status_code == 403


def test_passwords_and_reset_links_are_for_superusers(
    client: HTTPSClient, provider: Provider, user: User, make_user: MakeUser
) -> None:
    staff = make_user("staff@example.com", is_staff=True)
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    for person in (user, staff, admin):
        EmailAddress.objects.update_or_create(
            user=person,
            email=person.email,
            defaults={"verified": True, "primary": True},
        )
    for person in (user, staff):
        assert log_in(client, person.email).headers["Location"] == "/accounts/login/"
        assert "Log in with your organization." in client.get("/accounts/login/").text
        assert "_auth_user_id" not in client.session
    token = default_token_generator.make_token(user)
    link = f"/accounts/password/reset/key/{user_pk_to_url_str(user)}-{token}/"
    form = client.get(link).headers["Location"]
    client.post(
        form,
        {
            "password1": "another correct horse battery",
            "password2": "another correct horse battery",
        },
    )
    user.refresh_from_db()
    assert user.check_password("another correct horse battery")
    assert "_auth_user_id" not in client.session
    if HAS_ACCOUNTS:
        fields = {
            "email": "new@example.com",
            "password1": "another correct horse battery",
        }
        assert "closed" in client.post("/accounts/signup/", fields).text.lower()
        assert not User.objects.filter(email="new@example.com").exists()
    log_in(client, admin.email)
    assert client.session["_auth_user_id"] == str(admin.pk)


@pytest.mark.skipif(
    not HAS_ACCOUNTS, reason="without accounts there is no second factor"
)
def test_staff_prove_their_second_factor(
    client: HTTPSClient, provider: Provider, make_user: MakeUser
) -> None:
    people = import_module("secure_django.testing.people")
    staff = make_user("staff@example.com", is_staff=True)
    come_in(client, provider, email=staff.email)
    assert not is_logged_in(client), "without a second factor, staff are anonymous"
    assert client.get("/admin/").status_code == 302
    client.post("/accounts/logout/")
    people.add_second_factor(staff)
    assert (
        come_in(client, provider)
        .headers["Location"]
        .startswith("/accounts/2fa/authenticate/")
    )
    assert not is_logged_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": people.code()})
    assert is_logged_in(client)
    assert client.get("/admin/").status_code == 200


@pytest.mark.skipif(not HAS_ACCOUNTS, reason="without accounts there are no passkeys")
def test_passkeys_are_for_superusers(
    client: HTTPSClient, provider: Provider, user: User, make_user: MakeUser
) -> None:
    passkeys = import_module("tests.passkey")
    people = import_module("secure_django.testing.people")
    authenticators = import_module("allauth.mfa.models").Authenticator.objects
    page = "/accounts/2fa/webauthn/login/"
    ajax = {"x-requested-with": "XMLHttpRequest"}
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    for person, inside in ((user, False), (admin, True)):
        people.verify_email(person)
        passkey = passkeys.Passkey()
        authenticators.create(user=person, type="webauthn", data=passkey.data)
        options = client.get(page, headers=ajax).json()["request_options"]
        credential = passkey.sign(options, user_pk_to_url_str(person))
        client.post(page, {"credential": credential})
        assert (client.session.get("_auth_user_id") == str(person.pk)) is inside


@pytest.mark.skipif(
    not HAS_ACCOUNTS, reason="without accounts there is nothing to confirm"
)
def test_person_is_asked_again_before_changes(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    come_in(client, provider)
    assert (
        client.get("/accounts/delete/")
        .headers["Location"]
        .startswith("/accounts/reauthenticate/")
    )
    client.post("/accounts/logout/")
    come_in(client, provider, sub="2", email="ann@new.example")
    assert client.get("/accounts/delete/").status_code == 403
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200
    import_module("secure_django.testing.people").add_second_factor(
        User.objects.get(email="ann@new.example")
    )
    assert (
        client.get("/accounts/delete/")
        .headers["Location"]
        .startswith("/accounts/2fa/reauthenticate/")
    )


def test_log_out_leads_to_that_of_the_provider(
    client: HTTPSClient, provider: Provider, user: User
) -> None:
    come_in(client, provider)
    response = client.post("/accounts/logout/")
    assert response.headers["Location"] == "/sso/logout/"
    assert not is_logged_in(client)
    target = client.get("/sso/logout/").headers["Location"]
    assert target.startswith(f"{provider.origin}/end?")
    query = parse_qs(urlsplit(target).query)
    assert query == {
        "client_id": ["client:id"],
        "post_logout_redirect_uri": [absolute_url("/")],
    }


def test_forms_may_lead_to_the_provider_alone(
    client: HTTPSClient, provider: Provider, db: None
) -> None:
    page = client.get("/accounts/login/?next=/accounts/password/change/")
    policy = page.headers["Content-Security-Policy"]
    assert f"form-action 'self' {provider.origin};" in policy
    assert 'action="/sso/login/"' in page.text
    assert page.text.count('value="/accounts/password/change/"') >= 2
    assert "No account yet?" not in page.text


def test_button_is_limited(client: HTTPSClient, provider: Provider, db: None) -> None:
    assert [client.post("/sso/login/").status_code for _ in range(31)] == [302] * 30 + [
        429
    ]


def test_without_the_variable_the_site_is_as_before(
    client: HTTPSClient, user: User
) -> None:
    assert "/sso/" not in client.get("/accounts/login/").text
    assert (
        client.post("/sso/login/").status_code
        == client.get("/sso/callback/").status_code
        == 404
    )


def test_admin_shows_no_secrets_of_the_provider(
    client: HTTPSClient, make_user: MakeUser
) -> None:
    client.force_login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    for model in ("socialaccount", "socialapp", "socialtoken"):
        assert client.get(f"/admin/socialaccount/{model}/").status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://client:hidden@provider.example/",
        "https://provider.example/",
        "https://client@provider.example/",
        "https://client:hidden@provider.example/?domains=",
        "https://client:hidden@provider.example/?domains=*",
        "https://client:hidden@provider.example/?domain=new.example",
        "https://client:hidden@provider.example/#new",
        "https://client:hidden@Provider.example/",
        "provider.example",
    ],
)
def test_malformed_variable_stops_the_start_without_its_value(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ImproperlyConfigured, match="OIDC_URL: Must be an https URL"
    ) as failure:
        in_environment(monkeypatch, OIDC_URL=url)
    assert "hidden" not in str(failure.value)


def test_issuer_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = in_environment(
        monkeypatch, OIDC_URL="https://client:secret@tenant.provider.example/"
    )["OIDC"]
    options = found["app"]["settings"]
    assert options["openid_configuration_overrides"] == {
        "issuer": "https://tenant.provider.example/"
    }
    assert (
        options["server_url"]
        == "https://tenant.provider.example/.well-known/openid-configuration"
    )
    assert found["domains"] == []
