"""What a view looks up by a parameter of its URL: by its class, or by its source."""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from django.apps import apps
from django.db.models import Model

type Models = dict[str, type[Model]]


class Lookup(NamedTuple):
    """A model, and what of its row a parameter is, such as board__slug."""

    model: type[Model]
    path: str


class Code(NamedTuple):
    """A part of a project's source."""

    tree: ast.AST
    models: Models  # by the names that they have in it

    def calls(self) -> list[ast.Call]:
        """Return the calls, in the order in which one reads them."""
        parts = [part for part in ast.walk(self.tree) if isinstance(part, ast.Call)]
        return sorted(parts, key=lambda call: (call.lineno, call.col_offset))


def class_of_view(view: Any) -> Any:
    """Return the class of a view: a Django view has one, and so has one of REST."""
    return getattr(view, "view_class", None) or getattr(view, "cls", None)


def option_of_view(view: Any, name: str) -> Any:
    """Return an attribute of a view's class, or what `as_view` got in its place."""
    options = getattr(view, "view_initkwargs", None) or getattr(view, "initkwargs", {})
    return options.get(name, getattr(class_of_view(view), name, None))


def lookup_of(view: Any, parameter: str) -> Lookup | None:
    """Return what a view looks up by a parameter, if its code says so."""
    return lookup_by_class(view, parameter) or lookup_by_source(view, parameter)


def lookup_by_class(view: Any, parameter: str) -> Lookup | None:
    model = model_of_class(view) if class_of_view(view) else None
    if model is None:
        return None
    path = path_by_class(view, parameter)
    return Lookup(model, path) if path else None


def path_by_class(view: Any, parameter: str) -> str | None:
    rest_field = option_of_view(view, "lookup_field")
    rest_parameter = option_of_view(view, "lookup_url_kwarg") or rest_field
    paths = {
        option_of_view(view, "pk_url_kwarg"): "pk",
        option_of_view(view, "slug_url_kwarg"): option_of_view(view, "slug_field"),
        rest_parameter: rest_field,
    }
    return paths.get(parameter)


def model_of_class(view: Any) -> type[Model] | None:
    """Return the model of a view's class: it says one, or its queryset does."""
    model: type[Model] | None = option_of_view(view, "model")
    if model is not None:
        return model
    queryset = option_of_view(view, "queryset")
    if queryset is not None:
        queried_model: type[Model] = queryset.model
        return queried_model
    method = getattr(class_of_view(view), "get_queryset", None)
    return first_model(method) or first_model(class_of_view(view))


def model_of_view(view: Any) -> type[Model] | None:
    """Return the model whose rows a view shows, as far as its code says it."""
    if class_of_view(view):
        return model_of_class(view)
    return first_model(view)


def models_of_view(view: Any, parameters: list[str]) -> set[type[Model]]:
    """Return the models of which a view needs a row."""
    lookups = [lookup_of(view, name) for name in parameters]
    models = {lookup.model for lookup in lookups if lookup}
    model = model_of_view(view)
    return models | {model} if model else models


@cache
def code_of(function: Any) -> Code | None:
    """Return the source of a function or class, without its decorators' own."""
    if function is None:
        return None
    original = inspect.unwrap(function)
    if not inspect.isroutine(original) and not inspect.isclass(original):
        original = type(original)  # of an object that is called, such as a feed
    try:
        source = textwrap.dedent(inspect.getsource(original))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError):
        return None
    return Code(tree, models_known_in(original.__module__))


def models_known_in(module: str) -> Models:
    """Return the models by the names that a module has for them, or else their own."""
    by_class = {model.__name__: model for model in apps.get_models()}
    return by_class | dict(own_models_of(module))


def own_models_of(module: str) -> Iterator[tuple[str, type[Model]]]:
    for name, value in vars(sys.modules[module]).items():
        if isinstance(value, type) and issubclass(value, Model):
            yield name, value


@cache
def related_models() -> Models:
    """Return the models by the names that lead to their rows, as in board.cards."""
    found: Models = {}
    for model in apps.get_models():
        for relation in model._meta.related_objects:
            found[relation.get_accessor_name() or ""] = relation.related_model
    return found


def first_model(function: Any) -> type[Model] | None:
    """Return the first model among whose rows a function searches."""
    code = code_of(function)
    if code is None:
        return None
    models = (model_of_call(call, code) for call in code.calls())
    return next(filter(None, models), None)


def lookup_by_source(view: Any, parameter: str) -> Lookup | None:
    code = code_of(class_of_view(view) or view)
    if code is None:
        return None
    # A call inside another one is more about the parameter than the other.
    for call in reversed(code.calls()):
        path = path_in_call(call, parameter)
        model = model_of_call(call, code) if path else None
        if path and model:
            return Lookup(model, path)
    return None


def path_in_call(call: ast.Call, parameter: str) -> str | None:
    """Return the name to which a call gives the parameter, as in get(pk=note_id)."""
    parts = [part for part in ast.walk(call) if isinstance(part, ast.keyword)]
    names = [part.arg for part in parts if is_parameter(part.value, parameter)]
    return next(filter(None, names), None)


def is_parameter(value: ast.expr, parameter: str) -> bool:
    """Return whether code is `note_id`, `kwargs["note_id"]` or `get("note_id")`."""
    if isinstance(value, ast.Name):
        return value.id == parameter
    if isinstance(value, ast.Subscript):
        return is_text(value.slice, parameter)
    if isinstance(value, ast.Call):
        return any(is_text(part, parameter) for part in value.args[:1])
    return False


def is_text(part: ast.expr, text: str) -> bool:
    return isinstance(part, ast.Constant) and part.value == text


def model_of_call(call: ast.Call, code: Code) -> type[Model] | None:
    """Return the model of get_object_or_404(Note, …) and Note.objects.get(…)."""
    name = ast.unparse(call.func).rpartition(".")[2]
    if name.endswith("_or_404"):
        places = call.args[:1]
    elif isinstance(call.func, ast.Attribute):
        places = [call.func.value]
    else:
        return None
    models = (model_in(place, code) for place in places)
    return next(filter(None, models), None)


def model_in(place: ast.expr, code: Code) -> type[Model] | None:
    """Return the model that an expression names, or to whose rows it leads."""
    words = re.findall(r"\w+", ast.unparse(place))
    named = (code.models[word] for word in words if word in code.models)
    # Of what leads on, the last one counts.
    related = related_models()
    led_to = (related[word] for word in reversed(words) if word in related)
    return next(named, None) or next(led_to, None)
