"""Copied into a project with the recipe of languages."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, INP001

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.utils.translation import override
from pytest_django import Settings

from secure_django.testing import LOGIN, HTTPSClient, in_environment, log_in
from secure_django.testing.people import verify_email
from users.models import User

pytestmark = pytest.mark.django_db
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
FRENCH = {"Accept-Language": "fr"}
COOKIE = "__Host-language"


@pytest.fixture(autouse=True)
def restore_language() -> Iterator[None]:
    """Leave no language to the tests that follow."""
    with override("en"):
        yield


def language(response: Any) -> str:
    found = re.search(r'<html lang="([\w-]+)"', response.text)
    assert found, "the page names no language"
    assert response.headers["Content-Language"] == found[1]
    return found[1]


def choose(client: HTTPSClient, code: str, target: str = "/", **headers: str) -> Any:
    return client.post(
        "/language/", {"language": code, "next": target}, headers=headers
    )


def test_browser_or_choice_decides(client: HTTPSClient) -> None:
    assert language(client.get("/", headers=GERMAN)) == "de"
    assert language(client.get("/", headers=FRENCH)) == "en"
    assert language(client.get("/")) == "en"
    answer = client.post("/accounts/password/reset/", {}, headers=GERMAN)
    assert "Dieses Feld ist zwingend erforderlich" in answer.text
    referer = {"Referer": f"https://testserver{LOGIN}"}
    page = client.get("/language/", headers=referer)
    assert 'value="de" lang="de">Deutsch<' in page.text
    assert f'name="next" value="https://testserver{LOGIN}"' in page.text
    assert (
        choose(client, "de", f"https://testserver{LOGIN}").headers["Location"]
        == f"https://testserver{LOGIN}"
    )
    assert language(client.get("/", headers=FRENCH)) == "de"
    choose(client, "en")
    assert language(client.get("/", headers=GERMAN)) == "en"


def test_cookie_is_bound_to_host_and_https(
    client: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = choose(client, "de").cookies[COOKIE]
    assert cookie["secure"] is True
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert cookie["domain"] == ""
    assert cookie["max-age"] == 31_536_000
    assert in_environment(monkeypatch, DEBUG="on")["LANGUAGE_COOKIE_NAME"] == "language"


def test_log_in_brings_the_language_of_the_profile(user: User) -> None:
    first = HTTPSClient()
    first.force_login(user)
    assert ">Deutsch</option>" in first.get("/accounts/profile/").text
    first.post("/accounts/profile/", {"name": "Ann", "language": "de"})
    assert language(first.get("/accounts/profile/", headers=FRENCH)) == "de"
    second = HTTPSClient()
    if apps.is_installed("secure_django.accounts"):
        verify_email(user)
    log_in(second, user.email)
    assert language(second.get("/accounts/profile/", headers=FRENCH)) == "de"
    first.post("/accounts/profile/", {"language": ""})
    assert language(first.get("/accounts/profile/")) == "en"


def test_pages_of_different_languages_are_not_mixed(
    client: HTTPSClient, settings: Settings
) -> None:
    for headers in (GERMAN, FRENCH, {}):
        page = client.get("/", headers=headers)
        assert page.headers["Cache-Control"] == "max-age=0, s-maxage=1"
        assert page.headers["Vary"] == "Cookie, Accept-Language"
    # A page with the form is one visitor's, and so is one by a cookie.
    assert "no-store" in client.get("/language/").headers["Cache-Control"]
    client.cookies.clear()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    page = client.get("/")
    assert language(page) == "de"
    assert "s-maxage" not in page.headers["Cache-Control"]


def test_refused_request_is_not_in_the_language_of_the_visitor_before(
    client: HTTPSClient,
) -> None:
    for refused in (
        lambda: client.generic("TRACE", "/"),
        lambda: client.get("/%00"),
        lambda: client.get("/", headers={"host": "evil.example"}),
        lambda: client.get("/missing/"),
    ):
        assert language(client.get("/", headers=GERMAN)) == "de"
        response = refused()
        assert response.status_code >= 400
        assert language(response) == "en"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
    ],
)
def test_choice_leads_to_no_other_site(target: str, client: HTTPSClient) -> None:
    for headers in ({}, {"Referer": "https://evil.example/"}):
        assert choose(client, "de", target, **headers).headers["Location"] == "/"
    assert (
        client.get("/language/?next=https://evil.example/&language=de").status_code
        == 200
    )


@pytest.mark.parametrize(
    "code", ["", "xx", "../../etc", "de\r\nSet-Cookie: a=b", "de" * 5_000, "\0"]
)
def test_unknown_language_changes_nothing(code: str, client: HTTPSClient) -> None:
    choose(client, code)
    assert COOKIE not in client.cookies
    client.cookies[COOKIE] = code.replace("\r\n", "").replace("\0", "")
    assert language(client.get("/")) == "en"


def test_another_site_cannot_choose() -> None:
    client = HTTPSClient(enforce_csrf_checks=True)
    assert choose(client, "de", Referer="https://evil.example/").status_code == 403
    assert client.get("/language/?language=de").cookies.get(COOKIE) is None


def test_page_escapes_where_one_came_from(client: HTTPSClient) -> None:
    page = client.get("/language/", headers={"Referer": '"><script>alert(1)</script>'})
    assert "<script>alert(1)" not in page.text
