"""The names and texts in the code of a view: what it reads, and compares with.

That is its own code, and that of its app to which this leads by a name: forms,
functions and methods.
"""

import ast
import inspect
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from django.db import models
from django.views import View

from secure_django.guard.access import VIEWS, app_of_view
from secure_django.guard.lookups import class_of_view
from secure_django.guard.tables import OWN_APPS

READERS = {"get", "getlist", "pop"}
ALWAYS_ASKED = {"id", "pk", "user", "user_id", "owner", "email", "q", "next"}
# The names of what each class has: they lead to no method in particular.
USUAL_NAMES = {*dir(dict), *dir(models.Model), *dir(models.QuerySet), *dir(View)}
USUAL_NAMES |= {
    *View.http_method_names,
    "clean",
    "form_valid",
    "get_queryset",
    "objects",
}
FEWEST_COLUMNS = 3
DEFINITIONS = (ast.AsyncFunctionDef, ast.ClassDef, ast.FunctionDef)


@cache
def trees_of_app(name: str) -> list[tuple[Path, Any]]:
    """Return the files of an app's code, and what they say. Tests are none of it."""
    folders = [Path(app.path) for app in OWN_APPS if app.name == name]
    paths = [path for folder in folders for path in code_files(folder)]
    # With any encoding that a file declares.
    return [(path, ast.parse(path.read_bytes())) for path in paths]


def code_of_app(name: str) -> Iterator[tuple[Path, Any]]:
    """Yield each part of an app's code, and its file."""
    for path, tree in trees_of_app(name):
        for part in ast.walk(tree):
            yield path, part


def code_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).parts
        is_test = path.name.startswith("test_") or "tests" in parts
        if not is_test and "migrations" not in parts:
            yield path


@cache
def definitions_of_app(name: str) -> dict[str, list[Any]]:
    """Return the functions and classes of an app by their names."""
    found = defaultdict(list)
    for _, part in code_of_app(name):
        if isinstance(part, DEFINITIONS):
            found[part.name].append(part)
    return found


@cache
def code_of_view(route: str) -> list[Any]:
    """Return the parts of all code of its app to which a view leads."""
    definitions = definitions_of_app(app_of_view(route))
    start = names_of_definitions(VIEWS[route].function) & definitions.keys()
    if not start:  # it is made in urls.py, or by a package
        return [part for parts in definitions.values() for part in walk(parts)]
    reached: dict[str, list[Any]] = {}
    waiting = [*start]
    while waiting:
        name = waiting.pop()
        reached[name] = walk(definitions[name])
        named = {name_of(part) for part in reached[name]} - USUAL_NAMES
        names = named & definitions.keys()
        waiting += names - reached.keys() - {*waiting}
    return [part for parts in reached.values() for part in parts]


def names_of_definitions(view: Any) -> set[str]:
    """Return the names of a view's function, or of its class and the bases of that."""
    view_class = class_of_view(view)
    if view_class is None:
        function = getattr(inspect.unwrap(view), "func", inspect.unwrap(view))
        if inspect.isroutine(function):
            return {function.__name__}
        view_class = type(function)
    return {base.__name__ for base in view_class.__mro__}


def walk(parts: Iterable[Any]) -> list[Any]:
    return [part for whole in parts for part in ast.walk(whole)]


def name_of(node: ast.AST) -> str:
    """Return the last name of an expression such as order.save."""
    return getattr(node, "attr", "") or getattr(node, "id", "")


@cache
def names_of_view(route: str) -> frozenset[str]:
    """Return the names that code takes or reads, as in get("q") and data["q"]."""
    names = set(ALWAYS_ASKED)
    for part in code_of_view(route):
        if isinstance(part, ast.arg):
            names.add(part.arg)
        elif isinstance(part, ast.Subscript):
            names |= texts_in(part.slice)
        elif isinstance(part, ast.Compare):
            names |= texts_in(part.left)
        elif isinstance(part, ast.Call) and is_reader(part.func):
            names |= texts_in(*part.args[:1])
    return frozenset(names - {"self", "cls", "request"})


def is_reader(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr in READERS


@cache
def texts_of_view(route: str) -> frozenset[str]:
    """Return the texts that code compares with, as in format == "csv"."""
    texts = set()
    for part in code_of_view(route):
        if isinstance(part, ast.Compare):
            texts |= texts_in(part.left, *part.comparators)
        elif isinstance(part, ast.MatchValue):
            texts |= texts_in(part.value)
    return frozenset(texts)


@cache
def headings_of_view(route: str) -> list[tuple[str, ...]]:
    """Return the lists of texts in code, as of the columns that an import expects."""
    lists = [part for part in code_of_view(route) if isinstance(part, ast.List)]
    texts = {tuple(texts_of_list(part)) for part in lists}
    return sorted(heading for heading in texts if len(heading) >= FEWEST_COLUMNS)


def texts_of_list(part: ast.List) -> list[str]:
    values = [getattr(each, "value", None) for each in part.elts]
    return [value for value in values if isinstance(value, str)]


def texts_in(*nodes: ast.AST) -> set[str]:
    constants = [node for node in nodes if isinstance(node, ast.Constant)]
    values = [constant.value for constant in constants]
    return {value for value in values if isinstance(value, str)}
