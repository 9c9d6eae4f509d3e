"""Headers, cookies and error pages of the project, as browsers receive them."""

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from secure_django.testing import (
    LOGIN,
    HTTPSClient,
    Login,
    MakeUser,
    log_in,
)
from secure_django.testing.people import verify_email
from secure_django.user import User
from secure_django.web.client import client_ip

pytestmark = pytest.mark.django_db
DEVICES = {
    "accelerometer",
    "camera",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "usb",
}
DEVICES |= {
    "autoplay",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "payment",
    "xr-spatial-tracking",
}
REFUSED = {
    "bad request": 400,
    "wrong host": 400,
    "forged": 403,
    "missing": 404,
    "method": 405,
    "unused method": 405,
}


@pytest.mark.control("V4.1.1")
def test_responses_have_their_status_and_type(site_responses: dict[str, Any]) -> None:
    statuses = REFUSED | {"redirect": 302, "crash": 500}
    for name, response in site_responses.items():
        assert response.status_code == statuses.get(name, 200), name
    for name in ("log-in", "crash", *REFUSED):
        assert (
            site_responses[name].headers["Content-Type"] == "text/html; charset=utf-8"
        ), name
        length = len(site_responses[name].content)
        assert length > 200, name
        assert site_responses[name].headers.get("Content-Length", str(length)) == str(
            length
        ), name


@pytest.mark.control("V3.4.1")
@pytest.mark.control("V3.4.2")
@pytest.mark.control("V3.4.4")
@pytest.mark.control("V3.4.5")
def test_every_response_has_the_security_headers(
    site_responses: dict[str, Any],
) -> None:
    for name, response in site_responses.items():
        hsts = re.match(
            r"max-age=(\d+); includeSubDomains",
            response.headers["Strict-Transport-Security"],
        )
        assert hsts, name
        assert int(hsts[1]) >= 31_536_000, name
        assert response.headers["X-Content-Type-Options"] == "nosniff", name
        assert response.headers["X-Frame-Options"] == "DENY", name
        assert response.headers["Referrer-Policy"] == "same-origin", name
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin", name
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin", name
        assert not DEVICES - set(
            re.findall(r"([\w-]+)=\(\)", response.headers["Permissions-Policy"])
        ), name
        assert (
            not {"Content-Security-Policy-Report-Only", "Clear-Site-Data"}
            & response.headers.keys()
        ), name
        assert "Access-Control-Allow-Origin" not in response.headers, name


@pytest.mark.control("V3.4.3")
@pytest.mark.control("V3.4.6")
def test_csp_allows_only_the_sites_own_content(site_responses: dict[str, Any]) -> None:
    for name, response in site_responses.items():
        parts = (
            part.split()
            for part in response.headers["Content-Security-Policy"].split(";")
        )
        policy = {directive: sources for directive, *sources in parts}
        assert policy["default-src"] == ["'none'"], name
        if name == "photo":
            assert "sandbox" in policy
            continue
        for directive in ("base-uri", "object-src", "frame-ancestors"):
            assert policy[directive] == ["'none'"], name
        for directive in ("script-src", "style-src", "connect-src", "form-action"):
            assert [
                source
                for source in policy[directive]
                if not source.startswith("'nonce-")
            ] == ["'self'"], name
        assert "'self'" in policy["img-src"], name
        # A CSS library may have its icons inside its styles: see docs/design.md.
        policy["img-src"] = [it for it in policy["img-src"] if it != "data:"]
        assert not {"*", "http:", "https:", "data:", "blob:"} & set().union(
            *policy.values()
        ), name
        assert "unsafe" not in str(policy), name


@pytest.mark.control("V3.3.1")
@pytest.mark.control("V3.3.2")
@pytest.mark.control("V3.3.3")
@pytest.mark.control("V3.3.4")
def test_cookies_are_bound_to_host_and_https(
    client: HTTPSClient, user: User, urls_with_failures: None
) -> None:
    verify_email(user)
    client.get(LOGIN)
    log_in(client, user.email)
    client.get("/message/")  # leaves a message for the next page
    names = {"__Host-sessionid", "__Host-csrftoken", "__Host-device"}
    assert set(client.cookies) == names
    for cookie in client.cookies.values():
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["path"] == "/"
        assert cookie["domain"] == ""
        assert cookie["samesite"] in {"Lax", "Strict"}


@pytest.mark.control("V14.3.2")
def test_pages_of_logged_in_users_are_not_stored(
    site_responses: dict[str, Any],
) -> None:
    for name in ("own page", "without a cookie", "log-in", "cookie"):
        assert "no-store" in site_responses[name].headers["Cache-Control"], name
    for name in ("redirect", "missing", "forged", "method", "crash", "bad request"):
        assert (
            site_responses[name]
            .headers["Cache-Control"]
            .startswith(("private", "max-age=0, no-cache"))
        ), name


@pytest.mark.control("V12.2.1")
def test_plain_http_is_redirected_to_https() -> None:
    response = Client().get("/missing/?page=2")
    assert response.status_code == 301
    assert response.headers["Location"] == "https://testserver/missing/?page=2"
    assert "Content-Security-Policy" in response.headers


@pytest.mark.control("V13.4.4")
@pytest.mark.parametrize(
    "address", [LOGIN, "/admin/", "/health/live/", "/favicon.ico", "/static/site.css"]
)
def test_unused_methods_are_refused(
    login: Login, make_user: MakeUser, address: str
) -> None:
    client = login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    for method in ("TRACE", "CONNECT", "PROPFIND", "PUT", "DELETE", "PATCH"):
        assert client.generic(method, address).status_code == 405
    assert client.generic("TRACE", "/missing/").status_code == 405
    assert client.head(address).status_code == client.get(address).status_code != 405


@pytest.mark.control("V16.5.1")
def test_error_pages_do_not_describe_the_error(site_responses: dict[str, Any]) -> None:
    for name in ("crash", *REFUSED):
        text = site_responses[name].content.decode()
        assert "secret detail" not in text
        assert "Traceback" not in text
        assert "<h1>" in text


@pytest.mark.control("V3.5.1")
def test_form_without_a_csrf_token_is_refused(site_responses: dict[str, Any]) -> None:
    assert site_responses["forged"].status_code == 403


@pytest.mark.control("V4.1.3")
def test_forwarded_headers_are_trusted_only_behind_a_proxy(
    rf: Any, settings: Settings
) -> None:
    spoofed = {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2"}
    assert client_ip(rf.get("/", **spoofed)) == "10.0.0.9"
    assert (
        Client().get("/missing/", headers={"x-forwarded-proto": "https"}).status_code
        == 301
    )
    settings.TRUSTED_PROXY_COUNT = 1
    assert client_ip(rf.get("/", **spoofed)) == "2.2.2.2"
