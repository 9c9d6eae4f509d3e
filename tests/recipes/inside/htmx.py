"""Copied into a project with the recipe of htmx and the app `notes`."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ARG001, I001, INP001

import json
import re

import pytest
from django.template.loader import render_to_string

from secure_django.testing import HTTPSClient, Login
from notes.models import Note
from users.models import User

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
INJECTED = '<b hx-get="/" hx-trigger="load">'


@pytest.fixture
def made(user: User) -> Note:
    """Return an object of `user`, and make others of which the search finds none."""
    Note.objects.create(owner=user, title="Bread")
    return Note.objects.create(owner=user, title=f"Milk {INJECTED}")


def test_htmx_gets_the_part_and_others_the_page(
    login: Login, user: User, made: Note
) -> None:
    client = login(user)
    part, page = (
        client.get("/notes/?q=milk", headers=headers) for headers in (HTMX, {})
    )
    for response in (part, page):
        assert "Milk" in response.text
        assert "Bread" not in response.text
        assert INJECTED not in response.text
        assert "HX-Request" in response.headers["Vary"]
        assert "no-store" in response.headers["Cache-Control"]
    assert "<html" not in part.text
    assert '<form role="search"' in page.text
    assert "Milk" in client.get("/notes/?q=mi%00lk").text


def test_search_finds_nothing_of_other_users(
    login: Login, other_user: User, made: Note
) -> None:
    assert "Milk" not in login(other_user).get("/notes/?q=milk", headers=HTMX).text
    assert (
        login(other_user).post(f"/notes/{made.pk}/delete/", headers=HTMX).status_code
        == 404
    )
    assert Note.objects.filter(pk=made.pk).exists()


def test_deletion_needs_the_token_in_form_or_header(user: User, made: Note) -> None:
    client = HTTPSClient(enforce_csrf_checks=True)
    url = f"/notes/{made.pk}/delete/"
    client.force_login(user)
    found = re.search(
        r'csrfmiddlewaretoken" value="(\w+)"', client.get("/notes/", headers=HTMX).text
    )
    assert found, "the page has no token"
    referer = {"Referer": "https://testserver/notes/"}
    assert client.post(url, headers=HTMX | referer).status_code == 403
    elsewhere = {"Referer": "https://evil.example/", "X-CSRFToken": found[1]}
    assert client.post(url, headers=HTMX | elsewhere).status_code == 403
    assert Note.objects.filter(pk=made.pk).exists()
    answer = client.post(url, headers=HTMX | referer | {"X-CSRFToken": found[1]})
    assert (answer.status_code, answer.content) == (200, b"")
    assert not Note.objects.filter(pk=made.pk).exists()


def test_log_in_is_opened_as_a_page(client: HTTPSClient) -> None:
    answer = client.get("/notes/", headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (
        200,
        "/accounts/login/?next=/notes/",
    )
    assert "Location" not in answer.headers
    assert client.get("/notes/").status_code == 302
    # Nobody can send the browser of someone else to another site.
    assert "evil" not in str(
        client.get("//evil.example/?next=https://evil.example/", headers=HTMX).headers
    )


def test_htmx_evaluates_and_stores_nothing() -> None:
    found = re.search(
        r"name=\"htmx-config\" content='(.+?)'", render_to_string("_htmx.html")
    )
    assert found, "the page has no configuration of htmx"
    config = json.loads(found[1])
    forbidden = (
        "allowEval",
        "allowScriptTags",
        "includeIndicatorStyles",
        "historyCacheSize",
    )
    assert not any(config[name] for name in forbidden)
    assert config["selfRequestsOnly"] is True
