"""Secrets: they are compared in constant time, and end."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import models

from secure_django.guard.access import OWN_ROUTES, PARAMETER, app_of
from secure_django.guard.code import Function, functions_of_app
from secure_django.guard.findings import Findings
from secure_django.guard.names import name_of
from secure_django.guard.rows import OWN_MODELS
from secure_django.guard.tables import OWN_APPS, named_fields

SECRET = re.compile(
    r"(.*_)?(api_key|digest|hmac|otp|passcode|pin|secret|signature|token)(_hash)?"
)
TOKEN = re.compile(r"(.*_)?(api_key|token)(_hash)?")
# A link may have a token, but none of these.
OF_NO_URL = re.compile(r"(.*_)?(api_?key|apikey|otp|passcode|password|pin|secret)")
OF_QUERY = re.compile(r"[\w.]+\.GET(?:\.get)?[(\[]'(\w+)'.*[)\]]")
# Of a form that asks for it twice.
REPEATED = re.compile(r"again|confirm|repeat")
ENDING = re.compile(
    r"accept|deadline|ended|ends|expir|redeem|revoke|until|used|valid|withdrawn"
)


@pytest.mark.rule("secrets")
def test_secrets_are_compared_in_constant_time() -> None:
    """The time that == takes says how many characters are right."""
    findings = Findings()
    for app in OWN_APPS:
        for function in functions_of_app(app.name):
            for part in filter(is_comparison_of_secret, function.parts):
                findings.add(f"{function.place_of(part)} compares a secret by ==")
    findings.report("Compare it by secrets.compare_digest().")


def is_comparison_of_secret(part: ast.AST) -> bool:
    if not isinstance(part, ast.Compare):
        return False
    if not isinstance(part.ops[0], ast.Eq | ast.NotEq):
        return False
    sides = [part.left, *part.comparators]
    if any(isinstance(side, ast.Constant) for side in sides):
        return False
    names = [name for side in sides for name in names_read(side)]
    return any(map(SECRET.fullmatch, names)) and not any(map(REPEATED.search, names))


@pytest.mark.rule("secrets")
def test_no_secret_is_read_from_a_query() -> None:
    """A URL stays in logs, in the history of a browser, and in links of others."""
    findings = Findings()
    for app in OWN_APPS:
        for function in functions_of_app(app.name):
            for part in filter(is_secret_of_query, function.parts):
                findings.add(f"{function.place_of(part)} reads a secret from a query")
    findings.report("Read it from a header, or from a form that is sent by POST.")


def is_secret_of_query(part: ast.AST) -> bool:
    """Return whether code is request.GET["pin"] or request.GET.get("pin")."""
    text = ast.unparse(part) if isinstance(part, ast.Call | ast.Subscript) else ""
    match = OF_QUERY.fullmatch(text)
    return match is not None and bool(OF_NO_URL.fullmatch(match[1]))


def names_read(side: ast.AST) -> Iterator[str]:
    """Yield the name of a variable, an attribute, or an item: data["token"]."""
    yield name_of(side)
    arguments = side.args[:1] if isinstance(side, ast.Call) else []
    items = [side.slice] if isinstance(side, ast.Subscript) else arguments
    for item in items:
        yield str(item.value) if isinstance(item, ast.Constant) else name_of(item)


@pytest.mark.rule("secrets")
def test_secrets_that_open_something_end() -> None:
    """Whoever finds one later, in a log or a backup, must not use it for ever."""
    findings = Findings()
    lasting = named_fields("LASTING")
    for app in OWN_APPS:
        for name in sorted({*endless_tokens(app.name)} - lasting):
            findings.add(f"{name} never ends")
    findings.report(
        "Store until when it is valid, as in expires_at, and let the view ask for it.",
        "Only if it is meant to last, name it in tests/table.py of the app:"
        ' LASTING = {"Feed.token"}',
    )


def endless_tokens(app: str) -> Iterator[str]:
    """Yield the fields of an app's models with a secret that is never too old."""
    functions = [*functions_of_app(app)]
    opened = parameters_of(app)
    models_of_app = [each for each in OWN_MODELS if each._meta.app_config.name == app]
    for model in models_of_app:
        tokens = filter(is_token, model._meta.concrete_fields)
        names = [field.name for field in tokens if field.name not in opened]
        if names and not ends(model, functions):
            yield from (f"{model.__name__}.{name}" for name in names)


def parameters_of(app: str) -> set[str]:
    """Return the parameters of an app's URLs, whose ends other tests ask for."""
    routes = [route for route in OWN_ROUTES if app_of(route) == app]
    return {name for route in routes for name in PARAMETER.findall(route)}


def is_token(field: Any) -> bool:
    is_text = isinstance(field, models.CharField | models.TextField | models.UUIDField)
    return is_text and bool(TOKEN.fullmatch(field.name))


def ends(model: type[models.Model], functions: list[Function]) -> bool:
    """Return whether a row says when it ends, or code calculates it from its age."""
    names = [field.name for field in model._meta.concrete_fields]
    has_age = any("created" in name for name in names)
    is_calculated = any("timedelta" in function.called for function in functions)
    return any(map(ENDING.search, names)) or (has_age and is_calculated)
