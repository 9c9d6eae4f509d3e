"""Access control: a new URL fails here until it has a row in core/tests/access.py."""

import logging
import re
from collections.abc import Callable, Iterator

import pytest
from django.db import transaction
from pytest_django import Settings

from core.testing import HTTPSClient, MakePhoto, MakeUser
from core.tests.access import PEOPLE, ROUTES, ROWS, outcome, row_for
from users.models import User

type FillRoute = Callable[[str], str]
type Answer = Callable[[str, str], str]


@pytest.fixture
def fill_route(user: User, make_photo: MakePhoto) -> FillRoute:
    """Return a function that fills in the parameters of a route, for a photo that waits for review."""
    photo = make_photo()

    def fill(route: str) -> str:
        object_id = user.pk if "/users/" in route else photo.pk
        parts = {"photo_id": photo.pk, "object_id": object_id, "variant": "display", "app_label": "uploads"}
        return re.sub(r"<(\w+)>", lambda part: str(parts.get(part[1], "1")), route)

    return fill


@pytest.fixture
def answer(
    client: HTTPSClient,
    user: User,
    other_user: User,
    reviewer: User,
    make_user: MakeUser,
    fill_route: FillRoute,
    settings: Settings,
) -> Iterator[Answer]:
    """Return a function that tells how a route answers a person."""
    # Not in the database: the readiness check could not read a table that this transaction has changed.
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    # Hundreds of requests would bury the failure in their log lines.
    logging.disable()
    staff = make_user("staff@example.com", is_staff=True)
    accounts = {"owner": user, "other": other_user, "staff": staff, "reviewer": reviewer}

    def answer(route: str, person: str) -> str:
        with transaction.atomic():
            client.logout()
            if person in accounts:
                client.force_login(accounts[person])
            found = outcome(client, fill_route(route))
            transaction.set_rollback(True)
        return found

    yield answer
    logging.disable(logging.NOTSET)


@pytest.mark.control("V8.2.1")
@pytest.mark.control("V8.3.1")
@pytest.mark.parametrize("person", PEOPLE)
def test_every_url_answers_as_the_access_table_says(person: str, answer: Answer) -> None:
    rows = {route: row for route in ROUTES if (row := row_for(route))}
    found = {route: answer(route, person) for route in rows}
    assert found == {route: row[1 + PEOPLE.index(person)] for route, row in rows.items()}


@pytest.mark.control("V8.2.1")
def test_every_url_has_an_access_rule(answer: Answer) -> None:
    missing = [route for route in ROUTES if not row_for(route)]
    if missing:
        rows = [" ".join([f"{route:<44}", *(f"{answer(route, it):<7}" for it in PEOPLE)]).strip() for route in missing]
        advice = "If each kind of user may get this answer, append to TABLE in core/tests/access.py:"
        pytest.fail("\n".join([f"no access rule for {', '.join(missing)}", "", advice, *rows]), pytrace=False)


def test_every_row_of_the_access_table_is_used() -> None:
    used = {row[0] for route in ROUTES if (row := row_for(route))}
    assert not [row[0] for row in ROWS if row[0] not in used]
