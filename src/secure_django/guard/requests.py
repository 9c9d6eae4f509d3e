"""The requests of the tests to each page: queries, and forms.

Parameters have the names that a view has read so far, those in the code of its app, and
those of the fields of forms and models.
"""

import ast
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

from secure_django.guard.access import app_of
from secure_django.guard.marks import OWN_APPS, OWN_MODELS, PREFIX, SECRET, World
from secure_django.guard.sending import Answer, Sender
from secure_django.photos.form_fields import PhotoFormField
from secure_django.photos.models import Photo
from secure_django.user import User

WORD = "typ3d"  # found in lower case, in a slug, and without markup
TEXT = f"{WORD}<i>"
LONG = WORD * 4200
OUTSIDER = "outsider@example.org"
EVIL = "https://evil.example/<i>("  # the bracket is half an expression
EVIL_HOST = "//evil.example/<i>"  # of another site, although it begins with a slash
TARGETS = {"next", "url", "back", "return_to", "redirect"}
# Only staff get forms with these.
RIGHTS = re.compile(
    r"(is|has|may|can)_|(.*_)?(status|state|roles?)$"
    r"|(active|approved|confirmed|paid|published|verified)"
)
ANY_KEY = re.compile("pk|ids?|.*_(pk|ids?)")
READERS = {"get", "getlist", "pop"}
ATTRIBUTE = {
    name: re.compile(rf' {name}="([^"]*)"') for name in ("action", "method", "name")
}
ALWAYS_ASKED = {"id", "pk", "user", "user_id", "owner", "email", "q", "next"}
# By the number of the field in its form, since an end is after its start.
EXAMPLES: dict[type[forms.Field], str] = {
    forms.DateTimeField: "2030-01-{:02}T09:00",
    forms.DateField: "2030-01-{:02}",
    forms.TimeField: "{:02}:00",
    forms.EmailField: OUTSIDER,
    forms.URLField: "https://example.org/",
    forms.IntegerField: "1",
    forms.BooleanField: "on",
}
PAGE = b"<script>alert('m4rk')</script>"
PHOTO = b"\xff\xd8\xff\xe0 photo"
PAPER = b"%PDF-1.7 paper"
TABLE = "rows.csv"


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
    Upload("page.pdf", PAGE, "application/pdf"),
]


class Request(NamedTuple):
    """A request that may change something."""

    method: str
    options: dict[str, Any]
    sent: dict[str, Any]  # by the names of fields


# The names and texts in the code of an app


def code_of_app(name: str) -> Iterator[tuple[Path, Any]]:
    """Yield each part of an app's code, and its file. Tests are none of it."""
    for app in OWN_APPS:
        for path in Path(app.path).rglob("*.py") if app.name == name else ():
            folders = set(path.relative_to(app.path).parts)
            is_test = path.name.startswith("test_") or "tests" in folders
            if is_test or "migrations" in folders:
                continue
            for part in ast.walk(ast.parse(path.read_text("utf-8"))):
                yield path, part


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
        elif isinstance(part, ast.Call) and getattr(part.func, "attr", "") in READERS:
            names |= texts_in(*part.args[:1])
    return frozenset(names - {"self", "cls", "request"})


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
    values = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {value for value in values if isinstance(value, str)}


# Queries, by GET


def questions(
    sender: Sender, route: str, url: str, page: Answer
) -> Iterator[tuple[str, str]]:
    """Yield URLs with parameters, each with the text that the URL queries."""
    world = sender.world
    app = app_of(route)
    values = asked_values(world, route)
    for value in values:
        yield with_query(url, dict.fromkeys(names_of_app(app), value)), value
    yield with_query(url, dict.fromkeys(TARGETS & names_of_app(app), EVIL_HOST)), ""
    # The names that the view has read so far.
    names = sorted(sender.names[url])
    for value in values:
        for name in names:
            yield with_query(url, {name: value}), value
    for row in own_rows(world, route):
        texts = texts_of_row(row)
        query = {name: texts[name] for name in names if name in texts}
        if query:
            yield with_query(url, query), str(query)
    for text in texts_of_app(app) if names else ():
        yield with_query(url, dict.fromkeys(names, text)), text
    yield from followed(page, url, values)


def followed(page: Answer, url: str, values: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the links with a query and the forms of a page, each field with a value."""
    for link in links_of(page.text, url):
        yield link, ""
    for target, fields in searches_on(page, url):
        yield with_query(target, fields), ""
        for value in values:
            for name in fields:
                yield with_query(target, fields | {name: value}), value


def asked_values(world: World, route: str) -> list[str]:
    """Return what belongs to the owner: keys, an email and paths of files."""
    owner = world.people_of(route)["owner"]
    keys = {str(row.pk) for row in own_rows(world, route)}
    paths = world.paths[app_of(route)]
    return [str(owner.pk), *keys, owner.email, *paths, PREFIX, EVIL]


def own_rows(world: World, route: str) -> list[models.Model]:
    return [row for row in world.rows[app_of(route)] if not isinstance(row, Photo)]


def texts_of_row(row: models.Model) -> dict[str, str]:
    """Return what a page may search by: no secrets, and no rights."""
    return {
        field.name: field.value_to_string(row)
        for field in row._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
        and not (SECRET.search(field.name) or RIGHTS.match(field.name))
    }


def with_query(url: str, query: dict[str, Any]) -> str:
    return f"{url}?{urlencode(query)}"


def links_of(text: str, url: str) -> set[str]:
    """Return the links of a page that have a query."""
    targets = {
        urljoin(url, unescape(link)) for link in re.findall(r'href="([^"]+)"', text)
    }
    return {target for target in targets if target.startswith("/") and "?" in target}


def searches_on(page: Answer, url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the URL and the values of each form of a page that sends a query by GET."""
    fitting = fitting_values(page)
    for tag, body in re.findall(r"(<form[^>]*>)(.*?)</form>", page.text, re.DOTALL):
        method = ATTRIBUTE["method"].search(tag)
        if method and method[1].lower() != "get":
            continue
        action = ATTRIBUTE["action"].search(tag)
        names = ATTRIBUTE["name"].findall(body)
        target = urljoin(url, unescape(action[1])) if action else url
        yield target, {name: fitting.get(name, "") for name in names}


# Forms, by all other methods


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
        form.add_prefix(name): fitting_value(form[name], number)
        for form in forms_on(page)
        for number, name in enumerate(form.fields)
        if not isinstance(form.fields[name], forms.FileField)
    }


def fitting_value(bound: forms.BoundField, number: int) -> Any:
    field = bound.field
    value = bound.value()
    choices: Any = getattr(field, "choices", None)
    if choices is not None:
        return value or next((str(key) for key, _ in choices if str(key)), "")
    for kind, example in EXAMPLES.items():
        if isinstance(field, kind):
            is_empty = value in {None, ""}
            return example.format(number % 22 + 1) if is_empty else value
    return TEXT


def forbidden_values(world: World, route: str, victim: User) -> dict[str, Any]:
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
                found[field.name] = present_value(field, row, found.get(field.name, ""))
    for name in found:
        if "mail" in name or name == "to":
            found[name] = OUTSIDER
        if name in TARGETS:
            found[name] = EVIL_HOST
    return found | {"owner": victim.pk, "user": victim.pk}


def present_value(field: Any, row: models.Model, other: Any) -> Any:
    """Return the value of a row, or the other one in place of an empty text.

    An empty text, such as a user's name, asks nothing of a parameter of this name.
    """
    if field.value_from_object(row) is None:
        return None
    return field.value_to_string(row) or other


def other_than_default(field: Any) -> str:
    if isinstance(field, models.BooleanField):
        return str(not field.get_default())
    keys = [str(key) for key, _ in field.choices or () if key != field.get_default()]
    if isinstance(field, models.IntegerField) and not keys:
        return "4711"
    return "approved" if "approved" in keys else [TEXT, *keys][-1]


def with_keys_of(
    row: models.Model, values: dict[str, Any], *, named_only: bool = False
) -> dict[str, Any]:
    """Return values whose keys are those of a row, such as id, pk and note_id.

    With `named_only`, only the keys whose names say the model or a foreign key.
    """
    kinds = [names_of_keys(type(row))] + [ANY_KEY] * (not named_only)
    return {
        name: str(row.pk)
        # In a tuple, since the value of a field with several choices is a list.
        if value in (TEXT, "", None) and any(kind.fullmatch(name) for kind in kinds)
        else value
        for name, value in values.items()
    }


@cache
def names_of_keys(model: type[models.Model]) -> re.Pattern[str]:
    """Return what matches the names of a model's keys, such as note_id and parent."""
    fields = {
        field.name
        for other in OWN_MODELS
        for field in other._meta.concrete_fields
        if field.related_model is model
    }
    names = "|".join([str(model._meta.model_name), *sorted(fields)])
    return re.compile(rf"({names})(s|_pk|_ids?)?")


def requests(
    sender: Sender, route: str, url: str, user: User | None
) -> Iterator[Request]:
    """Yield what a user sends to change what belongs to the owner.

    The owner sends the same, with the keys of another user.
    """
    world = sender.world
    people = world.people_of(route)
    owner = people["owner"]
    victim = people["other"] if user == owner else owner
    page_of_owner = sender.send(owner, world.url(route))
    page = sender.send(user, url)
    fitting = fitting_values(page_of_owner) | fitting_values(page)
    base = fitting | forbidden_values(world, route, victim)
    forbidden = [with_keys_of(row, base) for row in own_rows(world, route)] or [base]
    photos = photo_names(page_of_owner)
    yield Request("get", {"data": without_none(forbidden[0])}, forbidden[0])
    bodies = [*forbidden, *filled_in(world, route, base, fitting, victim)]
    for body in bodies:
        yield Request("post", {"data": form_of(body, photos)}, body)
        # The names that the view has read so far.
        names = sender.file_names[url] - photos
        for upload in [*UPLOADS, table_of(body)] if names else ():
            files = {name: upload.file() for name in names}
            yield Request("post", {"data": form_of(body, photos) | files}, body)
    open_base = {name: it for name, it in base.items() if not SECRET.search(name)}
    for texts in filter(None, map(texts_of_row, own_rows(world, route))):
        body = open_base | texts
        yield Request("post", {"data": form_of(body, photos)}, body)
        yield Request("post", json_options(texts), texts)
    *_, likely = bodies
    long = lengthened(likely, page_of_owner, page)
    yield Request("post", {"data": form_of(long, photos)}, likely)
    to_user = {
        name: victim.email if value == OUTSIDER else value
        for name, value in likely.items()
    }
    yield Request("post", {"data": form_of(to_user, photos)}, to_user)
    for key in {str(victim.pk), *(str(row.pk) for row in own_rows(world, route))}:
        query = dict.fromkeys(sender.names[url], key)
        form = form_of(likely, photos)
        yield Request("post", {"data": form, "query_params": query}, likely)
    for body in commands(world, route, base, sender.names[url] - fitting.keys()):
        yield Request("post", {"data": form_of(body, photos)}, body)
    for method in ("post", "put", "patch", "delete"):
        for content, body in json_contents(forbidden, victim):
            yield Request(method, json_options(content), body)


def json_options(content: Any) -> dict[str, Any]:
    text = json.dumps(content, default=str)
    return {"data": text, "content_type": "application/json"}


def json_contents(
    bodies: list[dict[str, Any]], victim: User
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield what is sent as JSON, each with the values that it is about."""
    for body in bodies:
        rights = {
            name: value
            for name, value in body.items()
            if RIGHTS.match(name) or is_user_key(name, value, victim)
        }
        texts = {name: value for name, value in body.items() if value == TEXT}
        yield body, body
        yield texts | rights, body
    # One unknown name would hide from a view that sets each what the others do.
    yield rights, body
    yield [1], body


def filled_in(
    world: World,
    route: str,
    values: dict[str, Any],
    fitting: dict[str, Any],
    victim: User,
) -> Iterator[dict[str, Any]]:
    """Yield values that forms take: alone, with another owner, rights or keys."""
    if not fitting:
        return
    keys = [name for name in fitting if name.endswith("-id")]  # of formsets
    changes = [
        {name: value for name, value in values.items() if value == victim.pk},
        {name: value for name, value in values.items() if RIGHTS.match(name)},
        *(dict.fromkeys(keys, str(row.pk)) for row in own_rows(world, route) if keys),
        {},
    ]
    yield fitting
    yield from (values | fitting | change for change in changes)


def commands(
    world: World, route: str, values: dict[str, Any], names: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield values with the texts that code compares with, as in action == "delete".

    Instead of a text, each may take a key.
    """
    rows = own_rows(world, route)
    for row in rows:
        values = with_keys_of(row, values, named_only=True)
    names = {name for name in names if values.get(name) == TEXT}
    is_any = any(ANY_KEY.fullmatch(name) for name in names)
    texts = texts_of_app(app_of(route)) | {str(row.pk) for row in rows}
    for text in texts if names else ():
        for row in rows if is_any else rows[:1]:
            body = with_keys_of(row, values)
            yield body | {name: text for name in names if body[name] == TEXT}


def is_user_key(name: str, value: Any, user: User) -> bool:
    return name.endswith("_id") and value == user.pk


def lengthened(values: dict[str, Any], *pages: Answer) -> dict[str, Any]:
    """Return values with a long text, except where a form limits its length."""
    limited = {
        form.add_prefix(name)
        for page in pages
        for form in forms_on(page)
        for name, field in form.fields.items()
        if getattr(field, "max_length", None)
    }
    return {
        name: LONG if value == TEXT and name not in limited else value
        for name, value in values.items()
    }


def form_of(values: dict[str, Any], photos: set[str]) -> dict[str, Any]:
    return without_none(values) | {name: UPLOADS[1].file() for name in photos}


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def without(texts: set[str], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a request that sends none of the texts."""

    def kept(values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in values.items()
            if str(value) not in texts and getattr(value, "name", "") != TABLE
        }

    data = options["data"]
    if isinstance(data, str):
        content = json.loads(data)
        values = kept(content) if isinstance(content, dict) else {}
        return options | json_options(values)
    for value in data.values():
        if isinstance(value, SimpleUploadedFile):
            value.seek(0)  # it was read
    query = kept(options.get("query_params", {}))
    return options | {"data": kept(data), "query_params": query}


def table_of(values: dict[str, Any]) -> Upload:
    """Return a CSV file, as for an import."""
    cells = [json.dumps(str(value)) for value in values.values()]
    lines = f"{','.join(values)}\n{','.join(cells)}\n"
    return Upload(TABLE, lines.encode(), "text/csv")


def photo_names(page: Answer) -> set[str]:
    return {
        form.add_prefix(name)
        for form in forms_on(page)
        for name, field in form.fields.items()
        if isinstance(field, PhotoFormField)
    }
