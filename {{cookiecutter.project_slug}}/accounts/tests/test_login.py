"""Log-in, log-out, password changes and rate limits."""

import re
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.cache.backends.dummy import DummyCache
from pytest_django import Settings

from accounts.tests.people import LOGIN, is_logged_in, log_in, verify_email
from core.testing import PASSWORD, HTTPSClient
from users.models import User

NEW = "a harbour at noon"
pytestmark = pytest.mark.django_db


class DeadCache(DummyCache):
    """A cache that cannot be reached."""

    def fail(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError

    get = set = add = delete = touch = fail


@pytest.fixture
def member(user: User) -> User:
    """Return a user with a verified email."""
    verify_email(user)
    return user


@pytest.mark.control("V7.2.4")
def test_log_in_starts_a_new_session(client: HTTPSClient, member: User) -> None:
    planted = str(client.session.session_key)
    assert log_in(client, "Owner@Example.com").headers["Location"] == "/photos/mine/"
    assert client.cookies["__Host-sessionid"].value != planted
    client.cookies["__Host-sessionid"] = planted
    assert not is_logged_in(client)


@pytest.mark.control("V3.5.3")
def test_log_out_requires_a_form(client: HTTPSClient, member: User) -> None:
    log_in(client, member.email)
    assert client.get("/accounts/logout/").status_code == 200
    assert is_logged_in(client)
    client.post("/accounts/logout/")
    assert not is_logged_in(client)


@pytest.mark.control("V3.7.2")
@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https:evil.example", "https:///evil.example", "\\\\evil.example", "/\\evil.example"],
)
def test_log_in_never_redirects_to_another_site(client: HTTPSClient, member: User, target: str) -> None:
    response = client.post(LOGIN, {"login": member.email, "password": PASSWORD, "next": target})
    assert response.headers["Location"] == "/photos/mine/"


@pytest.mark.control("V6.3.1")
def test_sixth_attempt_is_blocked_for_any_spelling_and_host(client: HTTPSClient, member: User) -> None:
    for number, spelling in enumerate(("owner", "Owner", "OWNER", "oWner", " owner")):
        log_in(client, f"{spelling}@example.com", "wrong", headers={"host": f"testserver:{number + 1}"})
    for flood in range(1000):
        cache.set(f"flood{flood}", True)
    response = log_in(client, member.email)
    assert "Too many failed login attempts" in response.content.decode()
    assert not is_logged_in(client)


@pytest.mark.control("V6.1.1")
def test_rate_limits_match_the_documentation(settings: Settings) -> None:
    assert settings.ACCOUNT_RATE_LIMITS == {"login_failed": "10/m/ip,5/5m/key"}
    text = (settings.BASE_DIR / "accounts" / "SECURITY.md").read_text(encoding="utf-8")
    assert "Five wrong passwords or codes within five minutes" in text
    assert "ten within a minute" in text


@pytest.mark.control("V15.3.4")
def test_attempts_are_counted_by_the_ip_address_the_proxy_saw(client: HTTPSClient, settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    for number in range(12):
        forwarded = {"x-forwarded-for": f"9.9.9.{number}, 203.0.113.7", "x-forwarded-proto": "https"}
        response = log_in(client, f"guess{number}@example.com", "wrong", headers=forwarded)
    assert "Too many failed login attempts" in response.content.decode()
    forwarded["x-forwarded-for"] = "203.0.113.8"
    response = log_in(client, "guess@example.com", "wrong", headers=forwarded)
    assert "are not correct" in response.content.decode()


@pytest.mark.control("V16.5.3")
def test_log_in_is_blocked_while_attempts_cannot_be_counted(
    client: HTTPSClient, member: User, settings: Settings
) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.DeadCache"}}
    response = log_in(client, member.email)
    assert response.status_code == 503
    assert "Temporarily unavailable" in response.content.decode()
    assert not is_logged_in(client)
    assert client.get("/").status_code == client.get(LOGIN).status_code == 200


@pytest.mark.control("V16.3.1")
def test_password_change_and_rate_limits_are_logged(
    client: HTTPSClient, member: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    log_in(client, member.email)
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    for _ in range(6):
        log_in(HTTPSClient(), member.email, "wrong")
        client.post("/accounts/password/reset/", {"email": member.email})
    names = ["authn_login_success", "authn_password_change", "authn_login_fail", "authn_login_lock"]
    events = [record.getMessage() for record in caplog.records if record.name == "security"]
    assert set(events) == {*names, "excess_rate_limit_exceeded"}
    assert events.count("authn_login_fail") == 5


@pytest.mark.control("V6.2.3")
@pytest.mark.control("V7.4.3")
def test_password_change_needs_old_one_and_ends_other_sessions(client: HTTPSClient, member: User) -> None:
    other = HTTPSClient()
    log_in(other, member.email)
    log_in(client, member.email)
    for old, ends in (("wrong", False), (PASSWORD, True)):
        fields = {"oldpassword": old, "password1": NEW, "password2": NEW}
        client.post("/accounts/password/change/", fields)
        assert is_logged_in(other) is not ends
    assert is_logged_in(client)
    assert "Your password has been changed" in str(mail.outbox[-1].body)


@pytest.mark.control("V6.4.3")
def test_reset_link_works_once_and_does_not_log_in(client: HTTPSClient, member: User) -> None:
    locations = {
        client.post("/accounts/password/reset/", {"email": email}).headers["Location"]
        for email in (member.email, "nobody@example.com")
    }
    assert len(locations) == 1
    assert [message.to for message in mail.outbox] == [[member.email], ["nobody@example.com"]]
    link = re.search(r"https://\S+", str(mail.outbox[0].body))
    assert link
    form = client.get(link[0]).headers["Location"]
    assert client.post(form, {"password1": NEW, "password2": NEW}).status_code == 302
    assert not is_logged_in(client)
    assert "Your password has been reset" in str(mail.outbox[-1].body)
    assert "invalid" in client.get(link[0]).content.decode()
    log_in(client, member.email, NEW)
    assert is_logged_in(client)
