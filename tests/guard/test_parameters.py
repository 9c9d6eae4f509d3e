"""The parameters of a page: each has a value, and somebody finds the object."""

import pytest

from secure_django.guard import test_objects
from secure_django.guard.access import Row

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
