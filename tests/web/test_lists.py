"""Lists that users search and order: what a query of a URL changes."""

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from example.models import Thing
from secure_django.web.lists import MAX_LENGTH, PAGE_SIZE, list_page
from users.models import User

ORDER = ["title", "guest"]


def titles(query: str) -> list[str]:
    objects = Thing.objects.order_by("pk")
    page = list_page(objects, QueryDict(query), search=["title"], order=ORDER)
    return [thing.title for thing in page["page_obj"]]


@pytest.fixture
def things(user: User) -> list[Thing]:
    made = ["bread", "Apple", "100% milk"]
    return [Thing.objects.create(owner=user, title=title) for title in made]


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["bread", "Apple", "100% milk"]),
        ("q=BREA", ["bread"]),
        ("q=%20apple%20", ["Apple"]),
        ("q=0%25", ["100% milk"]),
        ("q=_", []),
        ("q=app%00le", ["Apple"]),
        ("order=title", ["100% milk", "Apple", "bread"]),
        ("order=-title", ["bread", "Apple", "100% milk"]),
        ("q=a&order=-title", ["bread", "Apple"]),
    ],
)
def test_list_is_searched_and_ordered(query: str, expected: list[str]) -> None:
    assert titles(query) == expected


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(
    "query",
    [
        "order=owner__password",
        "order=owner",
        "order=--title",
        "order=?",
        "order=%00",
        "page=abc",
        "page=-1",
        "page=" + "9" * 5000,
        "page=%00",
    ],
)
def test_what_is_not_valid_counts_as_not_given(query: str) -> None:
    assert titles(query) == ["bread", "Apple", "100% milk"]


@pytest.mark.django_db
def test_long_search_is_cut() -> None:
    found = list_page(Thing.objects.order_by("pk"), QueryDict("q=" + "x" * 60_000))
    assert found["q"] == "x" * MAX_LENGTH


def test_page_is_one_query_and_a_count(user: User) -> None:
    Thing.objects.bulk_create(
        Thing(owner=user, title=str(number)) for number in range(PAGE_SIZE + 5)
    )
    with CaptureQueriesContext(connection) as queries:
        assert len(titles("order=-title")) == PAGE_SIZE
    assert len(queries) == 2
    assert len(titles("page=2")) == 5


def test_empty_values_come_last_in_both_directions(
    user: User, other_user: User
) -> None:
    Thing.objects.create(owner=user, title="no guest")
    Thing.objects.create(owner=user, title="a guest", guest=other_user)
    assert titles("order=guest") == titles("order=-guest") == ["a guest", "no guest"]
