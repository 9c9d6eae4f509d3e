"""Where the view of a page is."""

import inspect
import sys
from collections.abc import Hashable, Iterator
from functools import cache
from pathlib import Path
from traceback import walk_stack, walk_tb
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from secure_django.guard.access import VIEWS, is_generic
from secure_django.guard.config import FILE, find_root
from secure_django.guard.lookups import class_of_view
from secure_django.guard.tables import FOREIGN_FOLDERS

DEFINITIONS = ("def ", "async def ", "class ")
FOLDER_OF_GUARD = Path(__file__).parent


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
    except (OSError, TypeError):  # it has no file
        return NOWHERE


def definition_of(function: Any) -> Any:
    """Return the function or class that a project has written as a view."""
    view_class = class_of_view(function)
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
    try:
        lines, start = inspect.getsourcelines(definition)
    except OSError:  # it was made by code, as the class of an api_view
        return place
    return place._replace(line=start + lines_above(lines))


def place_of_file(definition: Any) -> Place:
    """Return the first line of the file in which code is, or NOWHERE."""
    file = inspect.getsourcefile(definition)
    path = relative_path(file) if file else None
    return Place(path.as_posix(), 1) if path else NOWHERE


def relative_path(file: str) -> Path | None:
    """Return a file relative to the folder with pyproject.toml, if it is in there."""
    path = Path(file).resolve()
    root = find_root()
    return path.relative_to(root) if path.is_relative_to(root) else None


def view_at(route: str) -> Hashable:
    """Return what the routes of one view have in common: the place of its code.

    A place without a line of its own is that of many views.
    """
    view = VIEWS.get(route)
    if view is None:
        return route
    place = place_of(route)
    return place if place.line > 1 else id(view.function)


def function_that_raised(trace: TracebackType | None) -> str:
    """Return the innermost function of the project's own code, with its file.

    It has no line, since that of an accepted error may change.
    """
    names = [*own_functions(trace)]
    return names[-1] if names else ""


def own_functions(trace: TracebackType | None) -> Iterator[str]:
    for frame, _line in walk_tb(trace):
        yield from own_function(frame)


def own_function(frame: FrameType) -> Iterator[str]:
    """Yield the function of a frame, with its file, if it is the project's own."""
    path = own_path(frame.f_code.co_filename)
    if path:
        yield f"{frame.f_code.co_qualname} of {path.as_posix()}"


def present_function() -> str:
    """Return the innermost function of the project's own code that runs now."""
    frames = (frame for frame, _line in walk_stack(None))
    names = (name for frame in frames for name in own_function(frame))
    return next(names, "")


@cache
def own_path(file: str) -> Path | None:
    """Return a file of code, relative, that is neither a package's nor the guard's."""
    path = relative_path(file)
    if path is None or not FOREIGN_FOLDERS.isdisjoint(path.parts):
        return None
    # Generated code has a name such as <string>.
    is_generated = file.startswith("<")
    is_of_guard = FOLDER_OF_GUARD in Path(file).resolve().parents
    return None if is_generated or is_of_guard else path


def lines_above(lines: list[str]) -> int:
    """Return the number of lines with decorators above a definition."""
    numbers = [
        number
        for number, line in enumerate(lines)
        if line.lstrip().startswith(DEFINITIONS)
    ]
    return numbers[0] if numbers else 0
