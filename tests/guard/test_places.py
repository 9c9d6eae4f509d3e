"""Where a page's view is, and where an error was raised."""

import json
import sys
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from secure_django.guard import places
from secure_django.guard.findings import faults_of_error
from secure_django.guard.places import Place, definition_of, place_of_code, view_at

FILE = "tests/guard/test_places.py"


class Parser:
    def read(self, text: str) -> Any:
        return json.loads(text)


def response_with_error(call: Any) -> Any:
    """Return an answer 500 with the exception of a call, as from Django's code."""
    try:
        call()
    except Exception:  # noqa: BLE001
        kind, error, trace = sys.exc_info()
    assert trace
    # Without the frame of this function.
    return SimpleNamespace(exc_info=(kind, error, trace.tb_next), status_code=500)


def read_wrong() -> Any:
    return Parser().read("{")


def run_generated_code() -> None:
    exec(compile("1 / 0", "<string>", "exec"))  # noqa: S102


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (read_wrong, f"JSONDecodeError in Parser.read of {FILE}"),
        (run_generated_code, f"ZeroDivisionError in run_generated_code of {FILE}"),
        (partial(json.loads, "{"), "JSONDecodeError"),
    ],
)
def test_error_names_the_innermost_function_of_the_project(
    call: Any, error: str
) -> None:
    (fault,) = faults_of_error(response_with_error(call))
    expected = f"answers 500 ({error}): repair it, and check what a user sends first"
    assert fault == expected


def test_error_without_an_exception_has_no_function() -> None:
    response: Any = SimpleNamespace(exc_info=None, status_code=500)
    (fault,) = faults_of_error(response)
    assert fault.startswith("answers 500 (no exception): repair it")


def test_view_of_rest_framework_is_its_class() -> None:
    def view() -> None: ...

    view.cls = Parser  # type: ignore[attr-defined]
    assert definition_of(view) is Parser


def test_class_that_code_has_made_is_in_its_file_alone() -> None:
    made_class = type("Made", (Parser,), {"__module__": __name__})
    assert place_of_code(made_class) == Place(FILE, 1)
    assert place_of_code(Parser).line > 1


def test_routes_of_one_view_have_the_same_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def view(function: Any) -> Any:
        return SimpleNamespace(function=function, urls=__name__)

    def one() -> None: ...

    def other() -> None: ...

    views = {"/a/": view(one), "/b/": view(one), "/c/": view(other)}
    monkeypatch.setattr(places, "VIEWS", views)
    places.place_of.cache_clear()
    assert view_at("/a/") == view_at("/b/")
    assert view_at("/a/") != view_at("/c/")
    assert view_at("/no/such/page/") == "/no/such/page/"
    places.place_of.cache_clear()
