"""Headers, cookies and error pages, as browsers receive them."""

from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from config import urls
from core.http import client_ip
from core.testing import HTTPSClient, Login, MakePhoto, Upload
from uploads.models import Photo
from users.models import User

pytestmark = pytest.mark.django_db
REFUSED = {"bad request": 400, "wrong host": 400, "forged": 403, "missing": 404, "method": 405, "unused method": 405}


@login_not_required
def crash(request: object) -> HttpResponse:
    raise RuntimeError("secret detail")


@login_not_required
def suspect(request: object) -> HttpResponse:
    raise SuspiciousOperation("secret detail")


def plain(request: object) -> HttpResponse:
    return HttpResponse("A page without a form sets no cookie.")


class URLsWithFailures:
    """The project's URLs, and views that fail."""

    handler403 = staticmethod(urls.handler403)
    urlpatterns = [*urls.urlpatterns, path("crash/", crash), path("suspect/", suspect), path("plain/", plain)]


@pytest.fixture
def responses(client: HTTPSClient, user: User, make_photo: MakePhoto, settings: Settings) -> dict[str, Any]:
    """Return a response of every kind, by name."""
    settings.ROOT_URLCONF = URLsWithFailures
    client.raise_request_exception = False
    client.defaults["HTTP_ORIGIN"] = "https://evil.example"
    owner = HTTPSClient(enforce_csrf_checks=True)
    owner.force_login(user)
    return {
        "page": client.get("/"),
        "log-in": client.get("/accounts/login/"),
        "redirect": client.get("/photos/mine/"),
        "static": client.get("/static/site.css"),
        "photo": client.get(f"/photos/{make_photo(status='approved').pk}/thumbnail/"),
        "health": client.get("/health/live/"),
        "bad request": client.get("/suspect/"),
        "wrong host": client.get("/", headers={"host": "evil.example"}),
        "missing": client.get("/missing/"),
        "method": client.post("/"),
        "unused method": client.generic("TRACE", "/"),
        "crash": client.get("/crash/"),
        "forged": owner.post("/photos/upload/"),
        "own page": owner.get("/photos/mine/"),
        "without a cookie": owner.get("/plain/"),
    }


@pytest.mark.control("V4.1.1")
def test_responses_have_their_status_and_type(responses: dict[str, Any]) -> None:
    statuses = REFUSED | {"redirect": 302, "crash": 500}
    for name, response in responses.items():
        assert response.status_code == statuses.get(name, 200), name
    for name in ("page", "crash", *REFUSED):
        assert responses[name].headers["Content-Type"] == "text/html; charset=utf-8", name
        length = len(responses[name].content)
        assert length > 200, name
        assert responses[name].headers.get("Content-Length", str(length)) == str(length), name


@pytest.mark.control("V3.4.1")
@pytest.mark.control("V3.4.2")
@pytest.mark.control("V3.4.4")
@pytest.mark.control("V3.4.5")
def test_every_response_has_the_security_headers(responses: dict[str, Any]) -> None:
    for name, response in responses.items():
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains", name
        assert response.headers["X-Content-Type-Options"] == "nosniff", name
        assert response.headers["X-Frame-Options"] == "DENY", name
        assert response.headers["Referrer-Policy"] == "same-origin", name
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin", name
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin", name
        assert "camera=()" in response.headers["Permissions-Policy"], name
        assert "Access-Control-Allow-Origin" not in response.headers, name


@pytest.mark.control("V3.4.3")
@pytest.mark.control("V3.4.6")
def test_csp_allows_only_the_sites_own_content(responses: dict[str, Any]) -> None:
    for name, response in responses.items():
        parts = (part.split() for part in response.headers["Content-Security-Policy"].split(";"))
        policy = {directive: sources for directive, *sources in parts}
        assert policy["default-src"] == ["'none'"], name
        if name == "photo":
            assert "sandbox" in policy
            continue
        for directive in ("base-uri", "object-src", "frame-ancestors"):
            assert policy[directive] == ["'none'"], name
        for directive in ("script-src", "style-src", "connect-src", "form-action"):
            assert [source for source in policy[directive] if not source.startswith("'nonce-")] == ["'self'"], name
        assert not {"*", "http:", "https:", "data:", "blob:"} & set().union(*policy.values()), name
        assert "unsafe" not in str(policy), name


@pytest.mark.control("V3.3.1")
@pytest.mark.control("V3.3.2")
@pytest.mark.control("V3.3.3")
@pytest.mark.control("V3.3.4")
def test_cookies_are_bound_to_host_and_https(login: Login, user: User, upload: Upload) -> None:
    client = login(user)
    client.get("/photos/upload/")
    upload(client)  # leaves a message for the next page
    assert set(client.cookies) == {"__Host-sessionid", "__Host-csrftoken"}
    for cookie in client.cookies.values():
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["path"] == "/"
        assert cookie["domain"] == ""
        assert cookie["samesite"] == "Lax"


@pytest.mark.control("V14.3.2")
def test_pages_of_logged_in_users_are_not_stored(responses: dict[str, Any]) -> None:
    for name in ("own page", "without a cookie", "log-in"):
        assert "no-store" in responses[name].headers["Cache-Control"], name
    assert "Cache-Control" not in responses["page"].headers


@pytest.mark.control("V12.2.1")
def test_plain_http_is_redirected_to_https() -> None:
    response = Client().get("/photos/mine/?page=2")
    assert response.status_code == 301
    assert response.headers["Location"] == "https://testserver/photos/mine/?page=2"
    assert "Content-Security-Policy" in response.headers


@pytest.mark.control("V13.4.4")
@pytest.mark.parametrize("address", ["/", "/accounts/login/", "/admin/", "/health/live/", "/static/site.css"])
def test_unused_methods_are_refused(client: HTTPSClient, address: str) -> None:
    for method in ("TRACE", "CONNECT", "PROPFIND", "PUT", "DELETE", "PATCH"):
        assert client.generic(method, address).status_code == 405


@pytest.mark.control("V16.5.1")
def test_error_pages_do_not_describe_the_error(responses: dict[str, Any]) -> None:
    for name in ("crash", *REFUSED):
        text = responses[name].content.decode()
        assert "secret detail" not in text
        assert "Traceback" not in text
        assert "<h1>" in text


@pytest.mark.control("V3.5.1")
def test_form_without_a_csrf_token_is_refused(responses: dict[str, Any]) -> None:
    assert "send it again" in responses["forged"].content.decode()
    assert not Photo.objects.filter(title="").exists()


@pytest.mark.control("V4.1.3")
def test_forwarded_headers_are_trusted_only_behind_a_proxy(rf: Any, settings: Settings) -> None:
    spoofed = {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2"}
    assert client_ip(rf.get("/", **spoofed)) == "10.0.0.9"
    assert Client().get("/", headers={"x-forwarded-proto": "https"}).status_code == 301
    settings.TRUSTED_PROXY_COUNT = 1
    assert client_ip(rf.get("/", **spoofed)) == "2.2.2.2"
    settings.TRUSTED_PROXY_COUNT = 3
    assert client_ip(rf.get("/", **spoofed)) == "10.0.0.9"
