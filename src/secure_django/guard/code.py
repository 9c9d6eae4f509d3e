"""The functions in the code of an app, and the models that they read and add."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.db import models
from django.forms import ModelForm

from secure_django.guard.lookups import related_models
from secure_django.guard.names import code_of_app, name_of
from secure_django.guard.tables import CONFIG

ADDING = {"add", "bulk_create", "create"}


class Function(NamedTuple):
    """A function or method in the code of an app."""

    path: Path
    node: Any
    parts: list[Any]  # all nodes in it
    called: frozenset[str]  # the names of what it calls

    def place_of(self, part: Any) -> str:
        """Return the file, relative to the folder of pyproject.toml, and the line."""
        relative_path = self.path.relative_to(CONFIG.root, walk_up=True)
        return f"{relative_path}:{part.lineno}"

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Yield the calls of functions or methods of these names."""
        for part in self.parts:
            if isinstance(part, ast.Call) and name_of(part.func) in names:
                yield part

    def resolve(self, node: ast.AST) -> Any:
        """Return what a name stands for in the function's module, if it is loaded."""
        name = node.id if isinstance(node, ast.Name) else ""
        return getattr(modules_by_file().get(str(self.path)), name, None)

    def queried_model(self, node: Any) -> type[models.Model] | None:
        """Return the model of a manager or queryset: of Vote.objects, or poll.votes."""
        while isinstance(node, ast.Call | ast.Attribute):
            if isinstance(node, ast.Call):
                node = node.func
                continue
            model = as_model(self.resolve(node.value))
            if model or node.attr in related_models():
                return model or related_models()[node.attr]
            node = node.value
        return None

    def added_models(self) -> set[type[models.Model]]:
        """Return the models of which the function adds rows."""
        calls = [*self.calls(*ADDING)]
        added = {self.queried_model(call.func) for call in calls}
        if self.called & {"save", "bulk_create"}:
            added |= {self.made_model(part) for part in self.parts}
        return {model for model in added if model}

    def made_model(self, part: ast.AST) -> type[models.Model] | None:
        """Return the model of Vote(...) or VoteForm(...)."""
        made: Any = self.resolve(part.func) if isinstance(part, ast.Call) else None
        is_form = isinstance(made, type) and issubclass(made, ModelForm)
        return as_model(made._meta.model if is_form else made)


def functions_of_app(name: str) -> Iterator[Function]:
    for path, part in code_of_app(name):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [*ast.walk(part)]
            calls = [each for each in parts if isinstance(each, ast.Call)]
            called = frozenset(name_of(call.func) for call in calls)
            yield Function(path, part, parts, called)


def as_model(value: Any) -> type[models.Model] | None:
    """Return a value if it is a model."""
    is_model = isinstance(value, type) and issubclass(value, models.Model)
    return value if is_model else None


@cache
def modules_by_file() -> dict[str, Any]:
    modules = [*sys.modules.values()]
    return {str(getattr(module, "__file__", "")): module for module in modules}
