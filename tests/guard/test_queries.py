"""What is asked for by which name, so that no request says what another has said."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from secure_django.guard import queries
from secure_django.guard.queries import FEW, Asked, queries_by_code
from secure_django.guard.requests import differing_names

FIRST = Permission(pk=1)
SECOND = Group(pk=2)
TEXTS = ["m4rk"]


def name_keys(model: type[Any]) -> re.Pattern[str]:
    """Stand in for what reads the names of keys from a project's own models."""
    return re.compile("permission_id" if model is Permission else "group_id")


@pytest.fixture(autouse=True)
def names_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "names_of_keys", name_keys)


def test_name_of_a_key_is_asked_for_that_of_its_model() -> None:
    asked = Asked([FIRST, SECOND], TEXTS)
    assert asked.values_of("permission_id") == ["1", "m4rk"]
    assert asked.values_of("id") == ["1", "2", "m4rk"]


def test_other_name_is_asked_for_keys_if_they_are_few() -> None:
    more_rows: list[Any] = [Group(pk=number) for number in range(FEW + 1)]
    assert Asked([FIRST, SECOND], TEXTS).values_of("q") == ["1", "2", "m4rk"]
    assert Asked(more_rows, TEXTS).values_of("q") == TEXTS


@pytest.mark.parametrize(
    ("read_names", "expected"),
    [
        (set(), ["1"]),
        ({"page"}, ["1"]),
        ({"group_id"}, ["1", "2", "m4rk"]),
        ({"permission_id"}, ["1", "m4rk"]),
    ],
)
def test_values_are_those_that_a_name_which_is_read_may_take(
    read_names: set[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "names_of_view", lambda _route: {"group_id"})
    last = SimpleNamespace(has_read=bool(read_names))
    sender: Any = SimpleNamespace(names={"/": read_names}, last=last)
    asked = Asked([FIRST, SECOND], TEXTS)
    sent = [*queries_by_code(sender, "/", "/", asked)]
    assert [query.asked for query in sent] == [*expected, ""]


def test_bodies_differ_in_names_with_another_value_or_none() -> None:
    body = {"pk": 1, "title": "Eggs", "size": None}
    assert differing_names(body, {"pk": 2, "title": "Eggs"}) == {"pk"}
