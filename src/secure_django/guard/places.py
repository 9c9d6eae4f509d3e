"""Where the view of a page is."""

import inspect
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from secure_django.guard.access import VIEWS, is_generic
from secure_django.guard.config import FILE, find_root

DEFINITIONS = ("def ", "async def ", "class ")


class Place(NamedTuple):
    """A file relative to the folder with pyproject.toml, and a line."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


# For what is about no view of the project's own.
NOWHERE = Place(FILE, 1)


@cache
def place_of(route: str) -> Place:
    """Return where the view of a route is defined."""
    view = VIEWS.get(route)
    if view is None:
        return NOWHERE
    if is_generic(view):
        return place_of_file(sys.modules[view.urls])
    try:
        return place_of_code(definition_of(view.function))
    except (OSError, TypeError):  # it has no source
        return NOWHERE


def definition_of(function: Any) -> Any:
    """Return the function or class that a project has written as a view."""
    view_class = getattr(function, "view_class", None)
    if view_class:
        return view_class
    function = inspect.unwrap(function)
    function = getattr(function, "func", function)  # of a partial
    is_definition = inspect.isroutine(function) or inspect.isclass(function)
    return function if is_definition else type(function)


def place_of_code(definition: Any) -> Place:
    place = place_of_file(definition)
    if place == NOWHERE:
        return NOWHERE
    lines, start = inspect.getsourcelines(definition)
    return place._replace(line=start + lines_above(lines))


def place_of_file(definition: Any) -> Place:
    """Return the first line of the file in which code is, or NOWHERE."""
    file = Path(inspect.getsourcefile(definition) or "").resolve()
    root = find_root()
    if not file.is_relative_to(root):
        return NOWHERE
    return Place(file.relative_to(root).as_posix(), 1)


def lines_above(lines: list[str]) -> int:
    """Return the number of lines with decorators above a definition."""
    numbers = [
        number
        for number, line in enumerate(lines)
        if line.lstrip().startswith(DEFINITIONS)
    ]
    return numbers[0] if numbers else 0
