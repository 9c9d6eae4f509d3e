"""The requests of the tests to each page: queries, and forms.

Parameters have the names that a view has read so far, those in the code of its app, and
those of the fields of forms and models.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
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
from secure_django.guard.marks import (
    OWN_MODELS,
    PREFIX,
    SECRET,
    Values,
    World,
)
from secure_django.guard.right_names import is_right, may_be_right
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.tables import OWN_APPS, is_tested
from secure_django.guard.users import User, email_of

WORD = "typ3d"  # found in lower case, in a slug, and without markup
TEXT = f"{WORD}<i>"
LONG = WORD * 4200
OUTSIDER = "outsider@example.org"
EVIL = "https://evil.example/<i>("  # the bracket is half an expression
EVIL_HOST = "//evil.example/<i>"  # of another site, although it begins with a slash
TARGETS = {"next", "url", "back", "return_to", "redirect"}
ANY_KEY = re.compile("pk|ids?|.*_(pk|ids?)")
READERS = {"get", "getlist", "pop"}
ATTRIBUTE = {
    name: re.compile(rf' {name}="([^"]*)"') for name in ("action", "method", "name")
}
FORM = re.compile(r"(<form[^>]*>)(.*?)</form>", re.DOTALL)
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
    options: Values
    sent: Values  # by the names of fields


class Query(NamedTuple):
    """A request by GET."""

    url: str
    asked: str  # the text that the URL queries


# The names and texts in the code of an app


def code_of_app(name: str) -> Iterator[tuple[Path, Any]]:
    """Yield each part of an app's code, and its file. Tests are none of it."""
    folders = [Path(app.path) for app in OWN_APPS if app.name == name]
    paths = [path for folder in folders for path in code_files(folder)]
    for path in paths:
        tree = ast.parse(path.read_text("utf-8"))
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


# Queries, by GET


def queries(sender: Sender, route: str, url: str, page: Answer) -> Iterator[Query]:
    """Yield queries for what is the owner's."""
    world = sender.world
    app = app_of(route)
    values = asked_values(world, route)
    yield from queries_by_code(url, app, values)
    # The names that the view has read so far.
    names = sorted(sender.names[url])
    for value in values:
        for name in names:
            yield Query(with_query(url, {name: value}), value)
    yield from searches(url, names, own_rows(world, route))
    for text in texts_of_app(app) if names else ():
        yield query_for(url, names, text)
    yield from followed(page, url, values)


def queries_by_code(url: str, app: str, values: list[str]) -> Iterator[Query]:
    """Yield queries with all names in the code of an app."""
    names = names_of_app(app)
    for value in values:
        yield query_for(url, names, value)
    targets = dict.fromkeys(TARGETS & names, EVIL_HOST)
    yield Query(with_query(url, targets), "")


def searches(url: str, names: list[str], rows: list[models.Model]) -> Iterator[Query]:
    """Yield queries with the texts of a row in the parameters of their names."""
    for row in rows:
        texts = texts_of_row(row)
        query = {name: texts[name] for name in names if name in texts}
        if query:
            yield Query(with_query(url, query), str(query))


def followed(page: Answer, url: str, values: list[str]) -> Iterator[Query]:
    """Yield the links with a query and the forms of a page, each field with a value."""
    for link in links_of(page.text, url):
        yield Query(link, "")
    for target, fields in searches_on(page, url):
        yield Query(with_query(target, fields), "")
        for value in values:
            for name in fields:
                yield Query(with_query(target, fields | {name: value}), value)


def asked_values(world: World, route: str) -> list[str]:
    """Return what belongs to the owner: keys, an email and paths of files."""
    owner = world.people_of(route)["owner"]
    keys = {str(row.pk) for row in own_rows(world, route)}
    paths = world.paths[app_of(route)]
    emails = filter(None, [email_of(owner)])
    return [str(owner.pk), *keys, *emails, *paths, PREFIX, EVIL]


def own_rows(world: World, route: str) -> list[models.Model]:
    """Return the rows of the owner, without those of packages."""
    rows = world.rows.get(app_of(route), [])
    return [row for row in rows if not is_tested(row)]


def texts_of_row(row: models.Model) -> dict[str, str]:
    """Return what a page may search by: no secrets, and no rights."""
    fields = filter(is_searchable, row._meta.concrete_fields)
    return {field.name: field.value_to_string(row) for field in fields}


def is_searchable(field: Any) -> bool:
    if not isinstance(field, models.CharField | models.TextField):
        return False
    return not SECRET.search(field.name) and not is_right(field)


def query_for(url: str, names: Iterable[str], value: str) -> Query:
    """Return a query for a value by all names at once."""
    return Query(with_query(url, dict.fromkeys(names, value)), value)


def with_query(url: str, query: Values) -> str:
    return f"{url}?{urlencode(query)}"


def links_of(text: str, url: str) -> set[str]:
    """Return the links of a page that have a query."""
    links = map(unescape, re.findall(r'href="([^"]+)"', text))
    targets = {urljoin(url, link) for link in links}
    return {target for target in targets if target.startswith("/") and "?" in target}


def searches_on(page: Answer, url: str) -> Iterator[tuple[str, Values]]:
    """Yield the URL and the values of each form of a page that sends a query by GET."""
    fitting = fitting_values(page)
    for tag, body in FORM.findall(page.text):
        method = ATTRIBUTE["method"].search(tag)
        if method and method[1].lower() != "get":
            continue
        action = ATTRIBUTE["action"].search(tag)
        target = urljoin(url, unescape(action[1])) if action else url
        names = ATTRIBUTE["name"].findall(body)
        yield target, {name: fitting.get(name, "") for name in names}


# Forms, by all other methods


def forms_on(page: Answer) -> Iterator[forms.BaseForm]:
    """Yield the forms of a page, those of formsets too."""
    for context in page.response.context or ():
        values = context if isinstance(context, dict) else context.flatten()
        for value in values.values():
            yield from forms_in(value)


def forms_in(value: Any) -> Iterator[forms.BaseForm]:
    if isinstance(value, forms.BaseForm):
        yield value
    if isinstance(value, BaseFormSet):
        yield value.management_form
        yield from value.forms


def fields_on(page: Answer) -> Iterator[tuple[str, forms.Field]]:
    """Yield each field of the forms of a page, and the name by which it is sent."""
    for form in forms_on(page):
        for name, field in form.fields.items():
            yield form.add_prefix(name), field


def fitting_values(page: Answer) -> Values:
    """Return values that the forms of a page are likely to take."""
    values: Values = {}
    for form in forms_on(page):
        for number, (name, field) in enumerate(form.fields.items()):
            if not isinstance(field, forms.FileField):
                values[form.add_prefix(name)] = fitting_value(form[name], number)
    return values


def fitting_value(bound: forms.BoundField, number: int) -> Any:
    field = bound.field
    value = bound.value()
    choices: Any = getattr(field, "choices", None)
    if choices is not None:
        keys = (str(key) for key, _ in choices)
        return value or next(filter(None, keys), "")
    for kind, example in EXAMPLES.items():
        if isinstance(field, kind):
            is_empty = value in {None, ""}
            return example.format(number % 22 + 1) if is_empty else value
    return TEXT


def forbidden_values(world: World, route: str, victim: Any) -> Values:
    """Return another owner, rights, and the fields of the owner's objects."""
    names = names_of_app(app_of(route))
    values: Values = dict.fromkeys(names, TEXT)
    marked_fields = {(mark.row, mark.field) for mark in world.marks}
    for row in [victim, *own_rows(world, route)]:
        values |= values_of_users(row, victim)
        for field in row._meta.concrete_fields:
            name = field.name
            if field.related_model is User:
                continue
            if is_right(field) or not field.editable:
                values[name] = other_than_default(field)
            elif (row, name) in marked_fields:
                values[name] = TEXT
            elif not field.primary_key:
                values[name] = present_value(field, row, values.get(name, ""))
    values |= addresses_for(values)
    return values | {"owner": victim.pk, "user": victim.pk}


def values_of_users(row: models.Model, victim: Any) -> Values:
    """Return the victim for each field of a row that names a user."""
    fields = row._meta.concrete_fields
    user_fields = [field for field in fields if field.related_model is User]
    names = [name for field in user_fields for name in (field.name, field.attname)]
    return dict.fromkeys(names, victim.pk)


def addresses_for(names: Iterable[str]) -> Values:
    """Return an email or a URL that is not of this site, for the names of such."""
    emails = [name for name in names if "mail" in name or name == "to"]
    targets = [name for name in names if name in TARGETS]
    return dict.fromkeys(emails, OUTSIDER) | dict.fromkeys(targets, EVIL_HOST)


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
    default = field.get_default()
    keys = [str(key) for key, _ in field.choices or () if key != default]
    if "approved" in keys:
        return "approved"
    if keys:
        return keys[-1]
    return "4711" if isinstance(field, models.IntegerField) else TEXT


def with_keys_of(
    row: models.Model, values: Values, *, named_only: bool = False
) -> Values:
    """Return values whose keys are those of a row, such as id, pk and note_id.

    With `named_only`, only the keys whose names say the model or a foreign key.
    """
    patterns = [names_of_keys(type(row))]
    if not named_only:
        patterns.append(ANY_KEY)
    # In a tuple, since the value of a field with several choices is a list.
    open_names = [name for name, value in values.items() if value in (TEXT, "", None)]
    names = [name for name in open_names if matches_any(patterns, name)]
    return values | dict.fromkeys(names, str(row.pk))


def matches_any(patterns: list[re.Pattern[str]], name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in patterns)


@cache
def names_of_keys(model: type[models.Model]) -> re.Pattern[str]:
    """Return what matches the names of a model's keys, such as note_id and parent."""
    fields = [field for other in OWN_MODELS for field in other._meta.concrete_fields]
    keys = {field.name for field in fields if field.related_model is model}
    names = "|".join([str(model._meta.model_name), *sorted(keys)])
    return re.compile(rf"({names})(s|_pk|_ids?)?")


def requests(sender: Sender, route: str, url: str, user: Any) -> Iterator[Request]:
    """Yield what a user sends to change what belongs to the owner."""
    payloads = Payloads(sender, route, url, user)
    yield payloads.query()
    yield from payloads.forms()
    yield from payloads.searches()
    yield payloads.long_form()
    yield payloads.form_to_victim()
    yield from payloads.forms_with_query()
    yield from payloads.commands()
    yield from payloads.json()


class Payloads:
    """What a user sends to a page, to change what belongs to the owner.

    The owner sends the same, with the keys of another user.
    """

    def __init__(self, sender: Sender, route: str, url: str, user: Any) -> None:
        world = sender.world
        people = world.people_of(route)
        owner = people["owner"]
        self.sender = sender
        self.app = app_of(route)
        self.url = url
        self.victim = people["other"] if user == owner else owner
        self.rows = own_rows(world, route)
        page_of_owner = sender.send(owner, world.url(route))
        page = sender.send(user, url)
        self.pages = [page_of_owner, page]
        self.images = image_names(page_of_owner)
        # What the forms of the page take, and all of what is the owner's besides.
        self.fitting = fitting_values(page_of_owner) | fitting_values(page)
        forbidden_base = forbidden_values(world, route, self.victim)
        self.base = self.fitting | forbidden_base
        bodies = [with_keys_of(row, self.base) for row in self.rows]
        self.forbidden = bodies or [self.base]
        self.bodies = [*self.forbidden, *self.filled_in()]
        self.likely = self.bodies[-1]

    def post(self, body: Values, files: Values | None = None) -> Request:
        """Return a form with an image in each field that stores a new one."""
        data = self.form_data(body) | (files or {})
        return Request("post", {"data": data}, body)

    def form_data(self, values: Values) -> Values:
        images = {name: UPLOADS[1].file() for name in self.images}
        return without_none(values) | images

    def filled_in(self) -> Iterator[Values]:
        """Yield values that forms take: alone, with another owner, rights or keys."""
        if not self.fitting:
            return
        yield self.fitting
        values = self.base | self.fitting
        victim_key = self.victim.pk
        owners = {name: key for name, key in self.base.items() if key == victim_key}
        yield values | owners
        yield values | rights_in(self.base)
        keys = [name for name in self.fitting if name.endswith("-id")]  # of formsets
        for row in self.rows if keys else ():
            yield values | dict.fromkeys(keys, str(row.pk))
        yield values

    def query(self) -> Request:
        body = self.forbidden[0]
        return Request("get", {"data": without_none(body)}, body)

    def forms(self) -> Iterator[Request]:
        for body in self.bodies:
            yield self.post(body)
            yield from self.forms_with_files(body)

    def forms_with_files(self, body: Values) -> Iterator[Request]:
        # The names that the view has read so far.
        names = self.sender.file_names[self.url] - self.images
        for upload in [*UPLOADS, table_of(body)] if names else ():
            files = {name: upload.file() for name in names}
            yield self.post(body, files)

    def searches(self) -> Iterator[Request]:
        """Yield the texts of the owner's objects, without secrets."""
        names = [name for name in self.base if not SECRET.search(name)]
        values = {name: self.base[name] for name in names}
        for texts in filter(None, map(texts_of_row, self.rows)):
            yield self.post(values | texts)
            yield Request("post", json_options(texts), texts)

    def long_form(self) -> Request:
        data = self.form_data(lengthened(self.likely, self.pages))
        return Request("post", {"data": data}, self.likely)

    def form_to_victim(self) -> Request:
        names = [name for name, value in self.likely.items() if value == OUTSIDER]
        emails = dict.fromkeys(names, email_of(self.victim))
        return self.post(self.likely | emails)

    def forms_with_query(self) -> Iterator[Request]:
        """Yield a form whose URL has a key in each parameter that the view reads."""
        keys = {self.victim.pk, *(row.pk for row in self.rows)}
        for key in set(map(str, keys)):
            query = dict.fromkeys(self.sender.names[self.url], key)
            data = self.form_data(self.likely)
            yield Request("post", {"data": data, "query_params": query}, self.likely)

    def commands(self) -> Iterator[Request]:
        """Yield the texts that code compares with, as in action == "delete".

        Instead of a text, each may take a key.
        """
        values = self.base
        for row in self.rows:
            values = with_keys_of(row, values, named_only=True)
        names = self.sender.names[self.url] - self.fitting.keys()
        free_names = {name for name in names if values.get(name) == TEXT}
        if not free_names:
            return
        keys = {str(row.pk) for row in self.rows}
        has_key = any(ANY_KEY.fullmatch(name) for name in free_names)
        rows = self.rows if has_key else self.rows[:1]
        for text in texts_of_app(self.app) | keys:
            for row in rows:
                body = with_keys_of(row, values)
                yield self.post(body | with_text(body, free_names, text))

    def json(self) -> Iterator[Request]:
        for method in ("post", "put", "patch", "delete"):
            for content, body in json_contents(self.forbidden, self.victim):
                yield Request(method, json_options(content), body)


def reduced(sender: Sender, user: Any, url: str, request: Request) -> Request | None:
    """Return a request without the value that makes a page fail, if one alone does.

    The failure may have hidden what the page does with the other values.
    """
    data = request.options["data"]
    if not isinstance(data, dict):
        return None
    place = (request.method, url.partition("?")[0], frozenset(data))
    if place not in sender.culprits:
        sender.culprits[place] = find_culprits(sender, user, url, request)
    culprits = sender.culprits[place]
    return leaving_out(request, culprits) if culprits else None


def find_culprits(sender: Sender, user: Any, url: str, request: Request) -> set[str]:
    for name in request.options["data"]:
        smaller = leaving_out(request, {name})
        answer = sender.send(user, url, smaller.method, **smaller.options)
        if not answer.is_cut_short:
            return {name}
    return set()


def leaving_out(request: Request, names: set[str]) -> Request:
    """Return a request without the values of these names."""
    data = request.options["data"]
    rewind(data.values())
    kept = {name: value for name, value in data.items() if name not in names}
    sent = {name: value for name, value in request.sent.items() if name not in names}
    return Request(request.method, request.options | {"data": kept}, sent)


def rewind(values: Iterable[Any]) -> None:
    """Let files be read again."""
    for value in values:
        if isinstance(value, SimpleUploadedFile):
            value.seek(0)


def json_options(content: Any) -> Values:
    text = json.dumps(content, default=str)
    return {"data": text, "content_type": "application/json"}


def json_contents(bodies: list[Values], victim: Any) -> Iterator[tuple[Any, Values]]:
    """Yield what is sent as JSON, each with the values that it is about."""
    for body in bodies:
        rights = rights_in(body) | user_keys_in(body, victim)
        texts = {name: value for name, value in body.items() if value == TEXT}
        yield body, body
        yield texts | rights, body
    # One unknown name would hide from a view that sets each what the others do.
    yield rights, body
    yield [1], body


def rights_in(values: Values) -> Values:
    return {name: value for name, value in values.items() if may_be_right(name)}


def user_keys_in(values: Values, user: Any) -> Values:
    keys = {name: value for name, value in values.items() if name.endswith("_id")}
    return {name: key for name, key in keys.items() if key == user.pk}


def with_text(values: Values, names: set[str], text: str) -> Values:
    """Return the text for each of the names that has no key."""
    return {name: text for name in names if values[name] == TEXT}


def lengthened(values: Values, pages: list[Answer]) -> Values:
    """Return values with a long text, except where a form limits its length."""
    fields = [field for page in pages for field in fields_on(page)]
    limited = {name for name, field in fields if getattr(field, "max_length", None)}
    texts = {name for name, value in values.items() if value == TEXT}
    return values | dict.fromkeys(texts - limited, LONG)


def without_none(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not None}


def without(texts: set[str], options: Values) -> Values:
    """Return the options of a request that sends none of the texts."""

    def is_kept(value: Any) -> bool:
        return str(value) not in texts and getattr(value, "name", "") != TABLE

    def kept(values: Values) -> Values:
        return {name: value for name, value in values.items() if is_kept(value)}

    data = options["data"]
    if isinstance(data, str):
        content = json.loads(data)
        values = kept(content) if isinstance(content, dict) else {}
        return options | json_options(values)
    rewind(data.values())
    query = kept(options.get("query_params", {}))
    return options | {"data": kept(data), "query_params": query}


def table_of(values: Values) -> Upload:
    """Return a CSV file, as for an import."""
    texts = map(str, values.values())
    cells = [json.dumps(text) for text in texts]
    lines = f"{','.join(values)}\n{','.join(cells)}\n"
    return Upload(TABLE, lines.encode(), "text/csv")


def image_names(page: Answer) -> set[str]:
    """Return the names of fields that store no image as it was sent.

    Their class says `reencodes = True`.
    """
    fields = fields_on(page)
    return {name for name, field in fields if getattr(field, "reencodes", False)}
