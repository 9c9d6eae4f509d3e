"""The parameters of a page: each has a value, and somebody finds the object."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.views.generic import MonthArchiveView

from secure_django.guard import parameters, test_objects
from secure_django.guard.access import Row, View
from secure_django.guard.nobody import of_nobody, url_of_nobody
from secure_django.guard.parameters import (
    part_of_date,
    values_by_name,
    values_that_fit,
)
from secure_django.guard.test_objects import is_of_object

ROUTE = "/notes/<pk>/letters/<letter>/"
CLOSED = Row("notes", ROUTE, ["log-in", "404", "404", "404"], [])
OPEN = Row("notes", ROUTE, ["log-in", "200", "404", "404"], [])


def faults(
    row: Row, values: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setattr(test_objects, "rule", lambda _route: row)
    return [*test_objects.faults_of_parameters(ROUTE, values)]


def test_parameters_without_a_value_are_one_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert faults(CLOSED, {}, monkeypatch) == [
        f"objects() of notes returns no pk, letter for {ROUTE}"
    ]


def test_object_that_nobody_finds_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"pk": 1, "letter": 2}
    assert faults(OPEN, values, monkeypatch) == []
    assert faults(CLOSED, values, monkeypatch) == [
        f"nobody finds {ROUTE}: objects() of notes must make one"
    ]


def view_of(function: Callable[..., Any]) -> View:
    return View(function, (), "", "")


def test_part_of_a_date_is_that_of_made_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    months = MonthArchiveView.as_view()
    monkeypatch.setattr(
        parameters, "VIEWS", {"/": view_of(print), "/months/": view_of(months)}
    )
    names = ["year", "month", "day", "quarter", "title"]
    parts = [part_of_date("/", name) for name in names]
    assert parts == ["2030", "01", "01", "1", None]
    assert part_of_date("/months/", "month") == "jan"


def test_value_that_makes_no_url_of_the_page_gives_way_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    route = "/accounts/<account_pk>/"
    monkeypatch.setattr(
        parameters, "route_of", lambda url: route if "-" in url else url
    )
    likely: dict[str, list[Any]] = {"account_pk": [1, UUID(int=1)]}
    assert values_that_fit(route, likely) == {"account_pk": UUID(int=1)}
    assert values_that_fit(route, {"account_pk": [1]}) == {"account_pk": 1}
    assert values_that_fit(route, {"account_pk": []}) == {}


def test_pages_share_the_values_of_names_that_say_a_model() -> None:
    known = [{"board_slug": "plans", "pk": 1}, {"board_slug": "plans", "year": 2030}]
    assert values_by_name(known) == {"board_slug": ["plans"], "year": [2030]}


def make_world(own: dict[str, Any], of_other: dict[str, Any]) -> Any:
    return SimpleNamespace(
        values_on=lambda _route: own,
        values_of_other_on=lambda _route: of_other,
        rows={"notes": [SimpleNamespace(pk=7)]},
        url=lambda _route, **values: values,
    )


@pytest.mark.parametrize(
    ("own", "of_other", "expected"),
    [
        ({"pk": 1, "letter": 2}, {"pk": 3, "letter": 2}, True),
        ({"pk": "all", "letter": "a"}, {"pk": "all", "letter": "a"}, False),
        ({"pk": "7", "letter": "a"}, {"pk": "7", "letter": "a"}, True),
        ({"letter": "a"}, {"letter": "a"}, True),
        ({"pk": "all", "letter": "a"}, {}, True),
    ],
)
def test_url_with_words_for_everybody_names_no_object(
    own: dict[str, Any],
    of_other: dict[str, Any],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(test_objects, "app_of", lambda _route: "notes")
    assert is_of_object(make_world(own, of_other), ROUTE) is expected


def test_nobody_has_values_of_the_same_kind() -> None:
    world = make_world({"pk": UUID(int=1), "letter": 2}, {})
    all_values: Any = url_of_nobody(world, ROUTE)
    assert all_values == {"pk": of_nobody(UUID(int=1)), "letter": of_nobody(2)}
    value: Any = url_of_nobody(world, ROUTE, "letter")
    assert value == {"letter": of_nobody(2)}
    assert isinstance(of_nobody(UUID(int=1)), UUID)
