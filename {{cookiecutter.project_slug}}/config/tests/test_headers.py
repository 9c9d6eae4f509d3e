"""Headers, cookies and error pages, as browsers get them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from config import urls
from conftest import HTTPSClient
from uploads.models import Photo
from users.models import User

pytestmark = pytest.mark.django_db


def crash(request: object) -> HttpResponse:
    raise RuntimeError("secret detail")


def suspect(request: object) -> HttpResponse:
    raise SuspiciousOperation("secret detail")


def plain(request: object) -> HttpResponse:
    return HttpResponse("Without a form there is no cookie.")


class WithOddViews:
    """The project's URLs, and views that the project has none like."""

    handler403 = staticmethod(urls.handler403)
    urlpatterns = [*urls.urlpatterns, path("crash/", crash), path("suspect/", suspect), path("plain/", plain)]


for view in (crash, suspect):
    view.login_required = False  # type: ignore[attr-defined]


@pytest.fixture
def answers(
    client: HTTPSClient,
    login: Callable[..., HTTPSClient],
    user: User,
    make_photo: Callable[..., Photo],
    settings: Settings,
) -> dict[str, Any]:
    """Returns an answer of every kind, by name."""
    settings.ROOT_URLCONF = WithOddViews
    client.raise_request_exception = False
    photo = make_photo(status="approved")
    found = {
        "page": client.get("/"),
        "log-in": client.get("/accounts/login/"),
        "redirect": client.get("/photos/mine/"),
        "static": client.get("/static/site.css"),
        "photo": client.get(f"/photos/{photo.pk}/thumbnail/"),
        "health": client.get("/health/live/"),
        "bad request": client.get("/suspect/"),
        "wrong host": client.get("/", headers={"host": "evil.example"}),
        "missing": client.get("/missing/"),
        "method": client.post("/"),
        "odd method": client.generic("TRACE", "/"),
        "crash": client.get("/crash/"),
    }
    strict = HTTPSClient(enforce_csrf_checks=True)
    strict.force_login(user)
    return found | {"forged": strict.post("/photos/upload/"), "own page": login(user).get("/photos/mine/")}


def directives(response: Any) -> dict[str, list[str]]:
    parts = (part.split() for part in response.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


@pytest.mark.control("V4.1.1")
def test_every_kind_of_answer_has_its_status_and_type(answers: dict[str, Any]) -> None:
    statuses = {name: answer.status_code for name, answer in answers.items()}
    assert statuses == {
        "page": 200,
        "log-in": 200,
        "redirect": 302,
        "static": 200,
        "photo": 200,
        "health": 200,
        "bad request": 400,
        "wrong host": 400,
        "missing": 404,
        "method": 405,
        "odd method": 405,
        "crash": 500,
        "forged": 403,
        "own page": 200,
    }
    for name in ("page", "bad request", "missing", "method", "odd method", "crash", "forged"):
        assert answers[name].headers["Content-Type"] == "text/html; charset=utf-8", name
        length = len(answers[name].content)
        assert length > 200, name
        assert answers[name].headers.get("Content-Length", str(length)) == str(length), name


@pytest.mark.control("V3.4.1")
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


@pytest.mark.control("V3.4.3")
@pytest.mark.control("V3.4.6")
def test_policy_allows_nothing_but_the_sites_own(answers: dict[str, Any]) -> None:
    for name, answer in answers.items():
        policy = directives(answer)
        assert policy["default-src"] == ["'none'"], name
        if name == "photo":
            assert "sandbox" in policy
            continue
        for directive in ("base-uri", "object-src", "frame-ancestors"):
            assert policy[directive] == ["'none'"], name
        for directive in ("script-src", "style-src", "connect-src", "form-action"):
            assert [source for source in policy[directive] if not source.startswith("'nonce-")] == ["'self'"], name
        assert not {"*", "http:", "https:", "data:", "blob:"} & {it for sources in policy.values() for it in sources}, (
            name
        )
        assert "unsafe" not in str(policy), name


@pytest.mark.control("V3.4.2")
def test_no_other_origin_may_read_answers(client: HTTPSClient) -> None:
    for address in ("/", "/static/site.css"):
        answer = client.options(address, headers={"origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Origin" not in client.get(address).headers


@pytest.mark.control("V3.3.1")
@pytest.mark.control("V3.3.2")
@pytest.mark.control("V3.3.3")
@pytest.mark.control("V3.3.4")
def test_cookies_are_bound_to_host_and_https(
    login: Callable[..., HTTPSClient], user: User, upload: Callable[..., Any]
) -> None:
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
def test_pages_of_logged_in_users_are_not_stored(
    answers: dict[str, Any], login: Callable[..., HTTPSClient], user: User
) -> None:
    client = login(user)
    for address in ("/photos/mine/", "/plain/"):
        assert "no-store" in client.get(address).headers["Cache-Control"]
    assert "no-store" in answers["log-in"].headers["Cache-Control"]
    assert "Cache-Control" not in answers["page"].headers


@pytest.mark.control("V12.2.1")
def test_plain_http_is_sent_to_https() -> None:
    answer = Client().get("/photos/mine/?page=2")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://testserver/photos/mine/?page=2"
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.control("V13.4.4")
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PUT", "DELETE", "PATCH"])
def test_odd_methods_are_refused_everywhere(client: HTTPSClient, method: str) -> None:
    for address in ("/", "/accounts/login/", "/admin/", "/health/live/", "/static/site.css"):
        assert client.generic(method, address).status_code == 405


@pytest.mark.control("V16.5.1")
def test_error_pages_tell_nothing_of_the_error(answers: dict[str, Any]) -> None:
    for name in ("bad request", "wrong host", "missing", "crash", "forged"):
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
    from config.proxy import client_ip

    spoofed = {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2"}
    assert client_ip(rf.get("/", **spoofed)) == "10.0.0.9"
    assert Client().get("/", headers={"x-forwarded-proto": "https"}).status_code == 301
    settings.TRUSTED_PROXY_COUNT = 1
    assert client_ip(rf.get("/", **spoofed)) == "2.2.2.2"
    settings.TRUSTED_PROXY_COUNT = 3
    assert client_ip(rf.get("/", **spoofed)) == "10.0.0.9"
