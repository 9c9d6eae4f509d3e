"""What the tests ask each page for, and what they send to it.

The names come from the code: what a view reads of a request, the fields of the forms on
a page, and those of the models.
"""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin

from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.forms.formsets import BaseFormSet

from core.tests.access import VIEWS, app_of
from core.tests.marks import OWN_APPS, PREFIX, World
from core.tests.sending import Answer, Sender
from uploads.forms import PhotoFormField
from uploads.models import Photo
from users.models import User

TEXT = "changed<i>"
OUTSIDER = "outsider@example.org"
EVIL = "https://evil.example/<i>"
# Forms ask for these from nobody but staff.
RIGHTS = re.compile(r"is_|has_|may_|can_|status$|state$|roles?$|approved|verified|paid")
READERS = {"get", "getlist", "pop"}
ALWAYS_ASKED = {"id", "pk", "user", "user_id", "owner", "email", "q", "next"}
EXAMPLES: dict[type[forms.Field], Any] = {
    forms.DateTimeField: "2030-01-01T09:00",
    forms.DateField: "2030-01-01",
    forms.TimeField: "09:00",
    forms.EmailField: OUTSIDER,
    forms.URLField: "https://example.org/",
    forms.IntegerField: "1",
    forms.BooleanField: "on",
}
PAGE = b"<script>alert('m4rk')</script>"
PHOTO = b"\xff\xd8\xff\xe0 photo"
PAPER = b"%PDF-1.7 paper"


class Upload(NamedTuple):
    name: str
    content: bytes
    content_type: str

    def file(self) -> SimpleUploadedFile:
        return SimpleUploadedFile(*self)


UPLOADS = [
    Upload("page.html", PAGE, "text/html"),
    Upload("photo.jpg", PHOTO, "image/jpeg"),
    Upload("paper.pdf", PAPER, "application/pdf"),
]


class Request(NamedTuple):
    """A request that may change something."""

    method: str
    options: dict[str, Any]
    sent: dict[str, Any]  # by the names of fields


# The names that code reads


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def names_in(node: ast.AST) -> Iterator[str]:
    """Yield the names by which code reads a request: get("q"), POST["q"], and so on."""
    for part in ast.walk(node):
        key: Any = None
        if isinstance(part, ast.Subscript):
            key = part.slice
        elif isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.In):
            key = part.left
        elif isinstance(part, ast.Call) and part.args:
            if getattr(part.func, "attr", "") in READERS:
                key = part.args[0]
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value


def files_in(node: ast.AST) -> Iterator[str]:
    """Yield the names of the files that code reads of a request."""
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript | ast.Call) and ".FILES" in ast.unparse(part):
            yield from names_in(part)


def compared_in(node: ast.AST) -> Iterator[str]:
    """Yield the texts that code compares with: format == "csv"."""
    for part in ast.walk(node):
        sides: list[ast.expr] = []
        if isinstance(part, ast.Compare):
            sides = [part.left, *part.comparators]
        elif isinstance(part, ast.MatchValue):
            sides = [part.value]
        for side in sides:
            if isinstance(side, ast.Constant) and isinstance(side.value, str):
                yield side.value


def code_of(view: Any) -> list[ast.AST]:
    """Return the code of a view, and of what it calls in its own module."""
    found = inspect.unwrap(getattr(view, "view_class", view))
    try:
        path = Path(inspect.getsourcefile(found) or "")
    except TypeError:  # an object, such as one of a package for APIs
        return []
    defined = {
        node.name: node
        for node in tree_of(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    names = [getattr(found, "__name__", "")]
    code: list[ast.AST] = []
    while names:
        node = defined.pop(names.pop(), None)
        if node:
            code.append(node)
            names += [it.id for it in ast.walk(node) if isinstance(it, ast.Name)]
    return code


@cache
def names_of_app(name: str) -> frozenset[str]:
    """Return the names that any code of an app reads, and its functions take."""
    found = set(ALWAYS_ASKED)
    for app in OWN_APPS:
        for path in Path(app.path).rglob("*.py") if app.name == name else ():
            if {"tests", "migrations"}.isdisjoint(path.parts):
                tree = tree_of(path)
                found |= set(names_in(tree))
                found |= {it.arg for it in ast.walk(tree) if isinstance(it, ast.arg)}
    return frozenset(found - {"self", "cls", "request"})


# What is asked for, by GET


def questions(world: World, route: str, page: Answer) -> Iterator[tuple[str, str]]:
    """Yield URLs with parameters, each with the text that it asks for."""
    url = world.url(route)
    code = code_of(VIEWS[route])
    names = {name for node in code for name in names_in(node)}
    names |= set(re.findall(r'<(?:input|select)[^>]* name="(\w+)"', page.text))
    for value in asked_values(world, route):
        yield with_query(url, dict.fromkeys(names_of_app(app_of(route)), value)), value
        for name in names:
            yield with_query(url, {name: value}), value
    texts = {text for node in code for text in compared_in(node)}
    for text in texts if names else ():
        yield with_query(url, dict.fromkeys(names, text)), text
    for link in links_of(page.text, url):
        yield link, ""


def asked_values(world: World, route: str) -> list[str]:
    owner = world.people_of(route)["owner"]
    keys = {str(row.pk) for row in own_rows(world, route)}
    return [str(owner.pk), *keys, owner.email, PREFIX, EVIL]


def own_rows(world: World, route: str) -> list[models.Model]:
    return [row for row in world.rows[app_of(route)] if not isinstance(row, Photo)]


def with_query(url: str, query: dict[str, str]) -> str:
    return f"{url}?{urlencode(query)}"


def links_of(text: str, url: str) -> set[str]:
    """Return the links of a page that have a query."""
    targets = {urljoin(url, unescape(it)) for it in re.findall(r'href="([^"]+)"', text)}
    return {it for it in targets if it.startswith("/") and "?" in it}


# What is sent, by all other methods


def forms_on(page: Answer) -> Iterator[forms.BaseForm]:
    """Yield the forms of a page, those of formsets too."""
    for context in page.response.context or ():
        values = (context if isinstance(context, dict) else context.flatten()).values()
        for value in values:
            if isinstance(value, forms.BaseForm):
                yield value
            if isinstance(value, BaseFormSet):
                yield from (value.management_form, *value.forms)


def fitting_values(page: Answer) -> dict[str, Any]:
    """Return values that the forms of a page are likely to take."""
    return {
        form.add_prefix(name): fitting_value(form[name])
        for form in forms_on(page)
        for name in form.fields
        if not isinstance(form.fields[name], forms.FileField)
    }


def fitting_value(bound: forms.BoundField) -> Any:
    field = bound.field
    value = bound.value()
    choices: Any = getattr(field, "choices", None)
    if choices is not None:
        return value or next((str(key) for key, _ in choices if str(key)), "")
    for kind, example in EXAMPLES.items():
        if isinstance(field, kind):
            return example if value in {None, ""} else value
    return TEXT


def hostile_values(world: World, route: str, victim: User) -> dict[str, Any]:
    """Return another owner, rights, and the fields of the owner's objects."""
    found: dict[str, Any] = dict.fromkeys(names_of_app(app_of(route)), TEXT)
    marked = {(mark.row, mark.field) for mark in world.marks}
    for row in [victim, *own_rows(world, route)]:
        for field in row._meta.concrete_fields:
            if field.related_model is User:
                found[field.name] = found[field.attname] = victim.pk
            elif RIGHTS.match(field.name) or not field.editable:
                found[field.name] = other_than_default(field)
            elif (row, field.name) in marked:
                found[field.name] = TEXT
            elif not field.primary_key:
                found[field.name] = field.value_to_string(row)
    for name in found:
        if "mail" in name or name == "to":
            found[name] = OUTSIDER
        if name in {"next", "url", "back", "return_to", "redirect"}:
            found[name] = EVIL
    return found | {"owner": victim.pk, "user": victim.pk}


def other_than_default(field: Any) -> str:
    if isinstance(field, models.BooleanField):
        return str(not field.get_default())
    keys = [str(key) for key, _ in field.choices or () if key != field.get_default()]
    if isinstance(field, models.IntegerField) and not keys:
        return "4711"
    return "approved" if "approved" in keys else [TEXT, *keys][-1]


def with_keys_of(row: models.Model, values: dict[str, Any]) -> dict[str, Any]:
    """Return values whose keys are those of a row, such as id, pk and note_id."""
    return {
        name: str(row.pk) if is_key(name, row) and value in {TEXT, ""} else value
        for name, value in values.items()
    }


def is_key(name: str, row: models.Model) -> bool:
    return bool(re.fullmatch(rf"(pk|ids?|.*_(pk|ids?)|{row._meta.model_name}s?)", name))


def requests(sender: Sender, route: str, user: User | None) -> Iterator[Request]:
    """Yield what a user sends to change what belongs to the owner.

    The owner sends the same, with the keys of another user.
    """
    world = sender.world
    people = world.people_of(route)
    owner = people["owner"]
    victim = people["other"] if user == owner else owner
    page_of_owner = sender.send(owner, world.url(route))
    page = sender.send(user, world.url(route))
    fitting = fitting_values(page_of_owner) | fitting_values(page)
    base = fitting | hostile_values(world, route, victim)
    hostile = [with_keys_of(row, base) for row in own_rows(world, route)] or [base]
    photos, files = file_names(route, page_of_owner)
    yield Request("get", {"data": hostile[0]}, hostile[0])
    for body in [*hostile, base | fitting] if fitting else hostile:
        for upload in UPLOADS if files else UPLOADS[:1]:
            sent = {name: upload.file() for name in files}
            sent |= {name: UPLOADS[1].file() for name in photos}
            yield Request("post", {"data": without_none(body | sent)}, body)
    for body in hostile:
        part = {
            name: value
            for name, value in body.items()
            if value == TEXT or RIGHTS.match(name) or is_user_key(name, value, victim)
        }
        for method in ("post", "put", "patch", "delete"):
            for content in (body, part, [1]):
                options = {"data": json.dumps(content, default=str)}
                options["content_type"] = "application/json"
                yield Request(method, options, body)


def is_user_key(name: str, value: Any, user: User) -> bool:
    return name.endswith("_id") and value == user.pk


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def file_names(route: str, page: Answer) -> tuple[set[str], set[str]]:
    """Return the names of photos and of other files that a view takes."""
    fields = {
        form.add_prefix(name): field
        for form in forms_on(page)
        for name, field in form.fields.items()
        if isinstance(field, forms.FileField)
    }
    photos = {it for it, field in fields.items() if isinstance(field, PhotoFormField)}
    read = {name for node in code_of(VIEWS[route]) for name in files_in(node)}
    return photos, (fields.keys() | read) - photos
