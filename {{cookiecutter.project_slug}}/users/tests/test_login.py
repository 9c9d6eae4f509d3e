"""Django's log-in, log-out and password pages, and the lock-out."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.core import mail
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from core.testing import PASSWORD, HTTPSClient
from users.models import User

LOGIN = "/accounts/login/"


def try_login(client: HTTPSClient, email: str, password: str = PASSWORD, address: str = LOGIN, **headers: Any) -> Any:
    return client.post(address, {"username": email, "password": password}, **headers)


@pytest.mark.control("V7.2.4")
def test_log_in_starts_a_new_session(client: HTTPSClient, user: User) -> None:
    planted = client.session.session_key
    answer = try_login(client, "Owner@Example.com")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/photos/mine/")
    assert client.cookies["__Host-sessionid"].value != planted


@pytest.mark.control("V6.3.1")
@pytest.mark.parametrize("address", [LOGIN, "/admin/login/"])
def test_sixth_attempt_is_locked_out_for_any_spelling(
    client: HTTPSClient, user: User, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    for spelling in ("owner", "Owner", "OWNER", "oWner", "owneR"):
        answer = try_login(client, f"{spelling}@example.com", "wrong", address)
    answer = try_login(client, user.email, PASSWORD, address)
    assert answer.status_code == 429
    assert "Too many attempts" in answer.content.decode()
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "authn_login_lock" in caplog.messages


@pytest.mark.control("V6.3.1")
def test_lock_out_expires_and_cannot_be_prolonged(client: HTTPSClient, user: User) -> None:
    for _ in range(5):
        try_login(client, user.email, "wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert try_login(client, user.email, "wrong").status_code == 429
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=2))
    assert try_login(client, user.email).status_code == 302


@pytest.mark.control("V6.3.1")
def test_overlong_name_is_counted_too(client: HTTPSClient, db: None) -> None:
    assert [try_login(client, "\u0130" * 254).status_code for _ in range(5)] == [200, 200, 200, 200, 429]
    assert len(AccessAttempt.objects.get().username) <= 255


@pytest.mark.control("V15.3.4")
def test_lock_out_counts_by_the_ip_address_the_proxy_saw(client: HTTPSClient, user: User, settings: Settings) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    for spoofed in range(6):
        forwarded = f"9.9.9.{spoofed}, 203.0.113.7"
        answer = try_login(client, user.email, "wrong", HTTP_X_FORWARDED_FOR=forwarded, HTTP_X_FORWARDED_PROTO="https")
    assert answer.status_code == 429
    other = {"HTTP_X_FORWARDED_FOR": "203.0.113.8", "HTTP_X_FORWARDED_PROTO": "https"}
    assert try_login(client, user.email, **other).status_code == 302


@pytest.mark.control("V3.7.2")
@pytest.mark.parametrize("target", ["//evil.example", "https:evil.example", "\\\\evil.example", "/%09/evil.example"])
def test_log_in_never_redirects_to_another_site(client: HTTPSClient, user: User, target: str) -> None:
    answer = client.post(LOGIN, {"username": user.email, "password": PASSWORD, "next": target})
    assert answer.headers["Location"].startswith(("/photos/", "/%09/"))


@pytest.mark.control("V3.5.3")
def test_log_out_requires_a_form(client: HTTPSClient, user: User) -> None:
    try_login(client, user.email)
    assert client.get("/accounts/logout/").status_code == 405
    assert client.get("/photos/mine/").status_code == 200


@pytest.mark.control("V6.2.3")
def test_password_change_needs_old_one_and_ends_other_sessions(client: HTTPSClient, user: User) -> None:
    other = HTTPSClient()
    try_login(other, user.email)
    try_login(client, user.email)
    new = {"new_password1": "a harbour at noon", "new_password2": "a harbour at noon"}
    address = "/accounts/password_change/"
    assert client.post(address, {"old_password": "wrong", **new}).status_code == 200
    assert client.post(address, {"old_password": PASSWORD, **new}).status_code == 302
    assert client.get("/photos/mine/").status_code == 200
    assert other.get("/photos/mine/").status_code == 302


@pytest.mark.control("V14.2.1")
def test_reset_link_works_once_and_reveals_no_accounts(
    client: HTTPSClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = client.post("/accounts/password_reset/", {"email": "nobody@example.com"})
    known = client.post("/accounts/password_reset/", {"email": user.email})
    assert (unknown.status_code, unknown.headers["Location"]) == (known.status_code, known.headers["Location"])
    assert len(mail.outbox) == 1
    link = re.search(r"https://\S+", str(mail.outbox[0].body))
    assert link is not None
    with monkeypatch.context() as patch:
        later = datetime.now() + timedelta(minutes=61)
        patch.setattr("django.contrib.auth.tokens.PasswordResetTokenGenerator._now", lambda _: later)
        assert not client.get(link[0]).context["validlink"]
    form = client.get(link[0])
    new = {"new_password1": "a harbour at noon", "new_password2": "a harbour at noon"}
    assert client.post(form.headers["Location"], new).status_code == 302
    assert not client.get(link[0]).context["validlink"]
    assert try_login(client, user.email, "a harbour at noon").status_code == 302
