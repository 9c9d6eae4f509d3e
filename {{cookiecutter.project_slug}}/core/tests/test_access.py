"""Access control: a new URL fails here without a row in its app's `tests/table.py`."""

import logging
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

import pytest
from django.db import transaction
from pytest_django import Settings

from core.middleware import KNOWN_METHODS
from core.testing import HTTPSClient, Login, MakeUser
from core.tests.access import (
    PEOPLE,
    ROUTES,
    ROWS,
    TABLES,
    make_objects,
    outcome,
    row_for,
)
from users.models import User

type Answer = Callable[[str, str], str]


@pytest.fixture
def answer(
    client: HTTPSClient,
    user: User,
    other_user: User,
    reviewer: User,
    make_user: MakeUser,
    settings: Settings,
) -> Iterator[Answer]:
    """Return a function that tells how a route answers a person."""
    # Not in the database: the readiness check could not read a table that this
    # transaction has changed.
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    }
    # Hundreds of requests would bury the failure in their log lines.
    logging.disable()
    staff = make_user("staff@example.com", is_staff=True)
    fill = make_objects(user)
    accounts = {
        "owner": user,
        "other": other_user,
        "staff": staff,
        "reviewer": reviewer,
    }

    def answer(route: str, person: str) -> str:
        with transaction.atomic():
            client.logout()
            if person in accounts:
                client.force_login(accounts[person])
            found = outcome(client, fill(route))
            transaction.set_rollback(True)
        return found

    yield answer
    logging.disable(logging.NOTSET)


@pytest.mark.control("V8.2.1")
@pytest.mark.control("V8.3.1")
@pytest.mark.control("V14.3.2")
@pytest.mark.parametrize("person", PEOPLE)
def test_every_url_answers_as_the_access_table_says(
    person: str, answer: Answer
) -> None:
    rows = {route: row for route in ROUTES if (row := row_for(route))}
    found = {route: answer(route, person) for route in rows}
    assert found == {
        route: row.answers[PEOPLE.index(person)] for route, row in rows.items()
    }


@pytest.mark.control("V8.1.1")
@pytest.mark.control("V8.2.1")
def test_every_url_has_an_access_rule(answer: Answer) -> None:
    missing = [route for route in ROUTES if not row_for(route)]
    if missing:
        rows = [
            " ".join(
                [f"{route:<44}", *(f"{answer(route, it):<7}" for it in PEOPLE)]
            ).strip()
            for route in missing
        ]
        advice = (
            "If each kind of user may get this answer,"
            " append to ROWS in tests/table.py of the app:"
        )
        pytest.fail(
            "\n".join([f"no access rule for {', '.join(missing)}", "", advice, *rows]),
            pytrace=False,
        )


def test_every_row_of_the_access_table_is_used() -> None:
    # Two apps can have a page at the same URL: the first of them is shown.
    assert not [
        row.route
        for row in ROWS
        if not any(fnmatchcase(route, row.route) for route in ROUTES)
    ]


@pytest.mark.control("V8.2.2")
def test_every_page_of_an_object_is_asked_for_one() -> None:
    """Without an object, a page answers 404, which hides a missing owner check."""
    pages = [
        route
        for route, app in ROUTES.items()
        if "<" in route and app in TABLES and "/admin/" not in route
    ]
    for row in filter(None, map(row_for, pages)):
        assert "*" not in row.route, (
            f"{row.route} matches pages of objects,"
            " each of which needs a row of its own"
        )
        assert set(row.answers) - {"404", "log-in"}, (
            f"nobody finds {row.route}: objects() of {row.app} must make one"
        )


@pytest.mark.control("V13.4.4")
def test_every_view_restricts_its_methods(
    login: Login, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.middleware.KNOWN_METHODS", [*KNOWN_METHODS, "UNKNOWN"])
    client, fill = login(user), make_objects(user)
    client.raise_request_exception = False
    found = [
        route
        for route in ROUTES
        if client.generic("UNKNOWN", fill(route)).status_code != 405
    ]
    assert not found, f"{', '.join(found)}: put @require_http_methods before the view"
