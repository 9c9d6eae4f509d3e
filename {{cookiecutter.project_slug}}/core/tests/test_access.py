"""Access control: a new URL fails here until it has a row in core/tests/access.py."""

import re
from collections.abc import Callable

import pytest
from django.db import transaction

from core.testing import HTTPSClient, MakePhoto, MakeUser
from core.tests.access import PEOPLE, ROUTES, ROWS, outcome, row_for
from users.models import User

type FillRoute = Callable[[str], str]


@pytest.fixture
def fill_route(user: User, make_photo: MakePhoto) -> FillRoute:
    """Return a function that fills in the parameters of a route, for a photo that waits for review."""
    photo = make_photo()

    def fill(route: str) -> str:
        object_id = user.pk if "/users/" in route else photo.pk
        parts = {"photo_id": photo.pk, "object_id": object_id, "variant": "display", "app_label": "uploads"}
        return re.sub(r"<(\w+)>", lambda part: str(parts.get(part[1], "1")), route)

    return fill


@pytest.mark.control("V8.2.1")
@pytest.mark.control("V8.3.1")
@pytest.mark.parametrize("person", PEOPLE)
def test_every_url_answers_as_the_access_table_says(
    person: str,
    client: HTTPSClient,
    user: User,
    other_user: User,
    reviewer: User,
    make_user: MakeUser,
    fill_route: FillRoute,
) -> None:
    staff = make_user("staff@example.com", is_staff=True)
    account = {"owner": user, "other": other_user, "staff": staff, "reviewer": reviewer}.get(person)
    found = {}
    for route in ROUTES:
        with transaction.atomic():
            client.logout()
            if account:
                client.force_login(account)
            found[route] = outcome(client, fill_route(route))
            transaction.set_rollback(True)
    assert found == {route: row_for(route)[1 + PEOPLE.index(person)] for route in ROUTES}


def test_every_row_of_the_access_table_is_used() -> None:
    used = {row_for(route)[0] for route in ROUTES}
    assert not [row[0] for row in ROWS if row[0] not in used]
