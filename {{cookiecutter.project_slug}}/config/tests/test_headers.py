"""Headers, cookies and error pages, as browsers get them."""

from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from config import urls
from config.proxy import client_ip
from conftest import HTTPSClient, Login, MakePhoto, Upload
from uploads.models import Photo
from users.models import User

pytestmark = pytest.mark.django_db
REFUSED = {"bad request": 400, "wrong host": 400, "forged": 403, "missing": 404, "method": 405, "odd method": 405}


@login_not_required
def crash(request: object) -> HttpResponse:
    raise RuntimeError("secret detail")


@login_not_required
def suspect(request: object) -> HttpResponse:
    raise SuspiciousOperation("secret detail")


def plain(request: object) -> HttpResponse:
    return HttpResponse("Without a form there is no cookie.")


class WithOddViews:
    """The project's URLs, and views that the project has none like."""

    handler403 = staticmethod(urls.handler403)
    urlpatterns = [*urls.urlpatterns, path("crash/", crash), path("suspect/", suspect), path("plain/", plain)]


@pytest.fixture
def answers(client: HTTPSClient, user: User, make_photo: MakePhoto, settings: Settings) -> dict[str, Any]:
    """Returns an answer of every kind, by name."""
    settings.ROOT_URLCONF = WithOddViews
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
        "odd method": client.generic("TRACE", "/"),
        "crash": client.get("/crash/"),
        "forged": owner.post("/photos/upload/"),
        "own page": owner.get("/photos/mine/"),
        "without a cookie": owner.get("/plain/"),
    }


@pytest.mark.control("V4.1.1")
def test_every_kind_of_answer_has_its_status_and_type(answers: dict[str, Any]) -> None:
    statuses = REFUSED | {"redirect": 302, "crash": 500}
    for name, answer in answers.items():
        assert answer.status_code == statuses.get(name, 200), name
    for name in ("page", "crash", *REFUSED):
        assert answers[name].headers["Content-Type"] == "text/html; charset=utf-8", name
        length = len(answers[name].content)
        assert length > 200, name
        assert answers[name].headers.get("Content-Length", str(length)) == str(length), name


@pytest.mark.control("V3.4.1")
@pytest.mark.control("V3.4.2")
@pytest.mark.control("V3.4.4")
@pytest.mark.control("V3.4.5")
def test_every_answer_has_the_security_headers(answers: dict[str, Any]) -> None:
    for name, answer in answers.items():
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains", name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        assert answer.headers["X-Frame-Options"] == "DENY", name
        assert answer.headers["Referrer-Policy"] == "same-origin", name
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", name
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", name
        assert "camera=()" in answer.headers["Permissions-Policy"], name
        assert "Access-Control-Allow-Origin" not in answer.headers, name


@pytest.mark.control("V3.4.3")
@pytest.mark.control("V3.4.6")
def test_policy_allows_nothing_but_the_sites_own(answers: dict[str, Any]) -> None:
    for name, answer in answers.items():
        parts = (part.split() for part in answer.headers["Content-Security-Policy"].split(";"))
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
def test_pages_of_logged_in_users_are_not_stored(answers: dict[str, Any]) -> None:
    for name in ("own page", "without a cookie", "log-in"):
        assert "no-store" in answers[name].headers["Cache-Control"], name
    assert "Cache-Control" not in answers["page"].headers


@pytest.mark.control("V12.2.1")
def test_plain_http_is_sent_to_https() -> None:
    answer = Client().get("/photos/mine/?page=2")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://testserver/photos/mine/?page=2"
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.control("V13.4.4")
@pytest.mark.parametrize("address", ["/", "/accounts/login/", "/admin/", "/health/live/", "/static/site.css"])
def test_odd_methods_are_refused_everywhere(client: HTTPSClient, address: str) -> None:
    for method in ("TRACE", "CONNECT", "PROPFIND", "PUT", "DELETE", "PATCH"):
        assert client.generic(method, address).status_code == 405


@pytest.mark.control("V16.5.1")
def test_error_pages_tell_nothing_of_the_error(answers: dict[str, Any]) -> None:
    for name in ("crash", *REFUSED):
        text = answers[name].content.decode()
        assert "secret detail" not in text
        assert "Traceback" not in text
        assert "<h1>" in text


@pytest.mark.control("V3.5.1")
def test_form_without_a_token_is_refused_with_a_readable_page(answers: dict[str, Any]) -> None:
    assert "send it again" in answers["forged"].content.decode()
    assert not Photo.objects.filter(title="").exists()


@pytest.mark.control("V4.1.3")
def test_forwarded_headers_are_believed_only_behind_a_proxy(rf: Any, settings: Settings) -> None:
    spoofed = {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2"}
    assert client_ip(rf.get("/", **spoofed)) == "10.0.0.9"
    assert Client().get("/", headers={"x-forwarded-proto": "https"}).status_code == 301
    settings.TRUSTED_PROXY_COUNT = 1
    assert client_ip(rf.get("/", **spoofed)) == "2.2.2.2"
    settings.TRUSTED_PROXY_COUNT = 3
    assert client_ip(rf.get("/", **spoofed)) == "10.0.0.9"
