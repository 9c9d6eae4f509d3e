"""The models among whose rows the code of a view may search.

It names them, or what leads to them: `board.cards`, or a key that a form offers.
Code of all apps of the project counts, as far as names lead from one definition to the
next.
"""

import ast
import re
from collections import defaultdict
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import Model

from secure_django.guard.access import VIEWS
from secure_django.guard.names import (
    USUAL_NAMES,
    definitions_of_app,
    name_of,
    names_of_definitions,
    texts_in,
)
from secure_django.guard.tables import OWN_APPS

type Models = tuple[type[Model], ...]

# Code with one of these may search in any model.
ANY_MODEL = {"ContentType", "content_type", "get_model", "get_models"}
ALL_FIELDS = {"__all__", "exclude"}  # of a form
WORD = re.compile(r"__all__|[A-Za-z](?:_?[A-Za-z0-9])*")  # board__owner has two


@cache
def reached_models(route: str) -> Models:
    """Return the models of a view, or all if its code cannot be followed."""
    start = names_of_definitions(VIEWS[route].function) & words_by_definition().keys()
    words = reached_words(start)
    if not start or words & ANY_MODEL:
        return (Model,)
    return models_of_words(words)


def reached_words(start: set[str]) -> set[str]:
    """Return the words of definitions, and of those to which they lead."""
    words: set[str] = set()
    waiting = [*start]
    seen = set(start)
    while waiting:
        found = words_by_definition()[waiting.pop()]
        words |= found
        # A model leads to each other one in the end.
        names = (found & words_by_definition().keys()) - names_of_models()
        waiting += names - USUAL_NAMES - seen
        seen |= names
    return words


@cache
def words_by_definition() -> dict[str, set[str]]:
    """Return the words in each function and class of the project, by its name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for app in OWN_APPS:
        for name, parts in definitions_of_app(app.name).items():
            for part in parts:
                found[name] |= words_in(part)
    return dict(found)


def words_in(definition: ast.AST) -> set[str]:
    return {word for part in ast.walk(definition) for word in words_of(part)}


def words_of(part: ast.AST) -> list[str]:
    """Return the words in a name or a text, as in filter(board__owner=user)."""
    texts = [name_of(part), getattr(part, "arg", None), *texts_in(part)]
    return [word for text in texts if text for word in WORD.findall(text)]


@cache
def names_of_models() -> set[str]:
    return {model.__name__ for model in apps.get_models()}


def models_of_words(words: set[str]) -> Models:
    """Return the models that words name, and those to which named keys lead."""
    found = {model for model in apps.get_models() if model.__name__ in words}
    keys = [field for model in apps.get_models() for field in keys_of(model)]
    if not words & ALL_FIELDS:
        keys = [field for field in keys if field.name in words]
    else:
        keys = [key for key in keys if key.name in words or key.model in found]
    found |= {key.related_model for key in keys}
    relations = [
        each for model in apps.get_models() for each in model._meta.related_objects
    ]
    found |= {each.related_model for each in relations if names_of(each) & words}
    return tuple(found)


def keys_of(model: type[Model]) -> list[Any]:
    """Return the fields of a model that lead to rows, also to several."""
    fields = [*model._meta.concrete_fields, *model._meta.many_to_many]
    return [field for field in fields if field.related_model]


def names_of(relation: Any) -> set[str]:
    """Return the names by which code follows a relation backwards."""
    return {relation.get_accessor_name(), relation.name} - {None}
