"""The names and texts in the code of an app: what its views read, and compare with."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from secure_django.guard.tables import OWN_APPS

READERS = {"get", "getlist", "pop"}
ALWAYS_ASKED = {"id", "pk", "user", "user_id", "owner", "email", "q", "next"}


def code_of_app(name: str) -> Iterator[tuple[Path, Any]]:
    """Yield each part of an app's code, and its file. Tests are none of it."""
    folders = [Path(app.path) for app in OWN_APPS if app.name == name]
    paths = [path for folder in folders for path in code_files(folder)]
    for path in paths:
        tree = ast.parse(path.read_bytes())  # with any encoding that it declares
        for part in ast.walk(tree):
            yield path, part


def code_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).parts
        is_test = path.name.startswith("test_") or "tests" in parts
        if not is_test and "migrations" not in parts:
            yield path


@cache
def names_of_app(name: str) -> frozenset[str]:
    """Return the names that code takes or reads, as in get("q") and data["q"]."""
    names = set(ALWAYS_ASKED)
    for _, part in code_of_app(name):
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
def texts_of_app(name: str) -> frozenset[str]:
    """Return the texts that code compares with, as in format == "csv"."""
    texts = set()
    for _, part in code_of_app(name):
        if isinstance(part, ast.Compare):
            texts |= texts_in(part.left, *part.comparators)
        elif isinstance(part, ast.MatchValue):
            texts |= texts_in(part.value)
    return frozenset(texts)


def texts_in(*nodes: ast.AST) -> set[str]:
    constants = [node for node in nodes if isinstance(node, ast.Constant)]
    values = [constant.value for constant in constants]
    return {value for value in values if isinstance(value, str)}
