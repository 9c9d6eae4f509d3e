"""Requests whose effects are recorded and then undone."""

import builtins
import io
import json
import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from django.conf import settings
from django.core import mail
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.db.models import Model
from django.http import QueryDict
from django.test import Client
from django.test.client import FakePayload
from django.utils.datastructures import MultiValueDict

from secure_django.guard.access import first_allowed_method, outcome
from secure_django.guard.asked import note_request
from secure_django.guard.bounds import SECONDS, TookTooLongError, bounded
from secure_django.guard.noticing import HANDLED, HANDLED_TEXTS, NOTICED, forget
from secure_django.guard.places import present_function
from secure_django.guard.rows import (
    WATCHED_MODELS,
    State,
    Values,
    all_values,
    changed_with,
)
from secure_django.guard.tables import functions
from secure_django.guard.tasks import Enqueued, Failure
from secure_django.guard.world import World

OTHER_SITE = "https://evil.example"
WRITE = re.compile(
    r"\s*(?:INSERT (?:OR \w+ )?INTO|REPLACE INTO|UPDATE|DELETE FROM)\s+[\"`]?(\w+)",
    re.IGNORECASE,
)
# The keys of rate limits: allauth's, which secure_django.ratelimit uses, and others'.
COUNTER = re.compile(r"\brl:|throttle|rate_?limit")
MOST_NAMES = 60  # of one page: a loop may read any number
# What Django reads of a formset: its numbers, and each form after the first.
OF_FORMSET = re.compile(r"-(TOTAL|INITIAL|MIN_NUM|MAX_NUM)_FORMS$|-(?!0-)\d+-")
QUOTED = re.compile(r"[\"`](\w+)[\"`]")
RENAMING = {"link", "rename", "replace", "symlink"}
OWN_TABLES = {model._meta.db_table: model for model in WATCHED_MODELS}


class RecordingCache(LocMemCache):
    """A cache that knows which keys were set."""

    keys: ClassVar[set[str]] = set()

    def set(self, key: str, *args: Any, **options: Any) -> None:
        self.keys.add(key)
        super().set(key, *args, **options)

    def add(self, key: str, *args: Any, **options: Any) -> bool:
        self.keys.add(key)
        return bool(super().add(key, *args, **options))

    def incr(self, key: str, *args: Any, **options: Any) -> int:
        self.keys.add(key)
        return int(super().incr(key, *args, **options))


class Change(NamedTuple):
    """A row before and after a request."""

    model: type[Model]
    pk: Any
    old: Values  # {} of a row that the request adds
    new: Values  # {} of a row that it deletes

    def fields(self) -> Iterator[Any]:
        """Yield the fields that have another value."""
        for field in self.model._meta.concrete_fields:
            if self.changes(field.attname):
                yield field

    def changes(self, name: str) -> bool:
        return bool(self.old.get(name) != self.new.get(name))


class Answer(NamedTuple):
    """The effects of a request, before they were undone."""

    response: Any
    outcome: str  # as in the access table
    text: str  # of the page and its headers
    mails: list[Any]
    logs: str
    written: set[type[Model]]  # whose rows it wrote, also without a change
    writers: dict[str, str]  # by the table: the own function that has written first
    changes: list[Change]
    files: list[bytes]  # that were stored
    limits: list[str]  # the keys of rate limits that counted it
    is_kept: bool  # something was written to the cache besides
    statements: list[str]  # of SQL
    opened: list[str]  # the paths of files
    noticed: list[str]  # what tables say about it
    handled: list[str]  # exceptions that own code has handled
    handled_texts: list[str]  # what those say
    has_read: bool  # its code has read of the query, the form or the body
    tasks: int  # that were enqueued, and then run
    failures: list[Failure]  # of those

    def tables(self) -> set[str]:
        """Return the names in quotes of all statements: those of tables, too."""
        return set(QUOTED.findall(" ".join(self.statements)))

    @property
    def took_too_long(self) -> bool:
        in_tasks = any(failure.took_too_long for failure in self.failures)
        return in_tasks or took_too_long(self.response)

    @property
    def is_cut_short(self) -> bool:
        """Return whether an exception may have hidden what else the page does."""
        if self.took_too_long:
            return False  # as would each further try
        is_error = self.response.status_code == 500
        return is_error or bool(self.handled or self.failures)


def took_too_long(response: Any) -> bool:
    return bool(response.exc_info) and response.exc_info[0] is TookTooLongError


class HTTPSClient(Client):
    """A test client that sends every request by HTTPS."""

    def request(self, **request: Any) -> Any:
        """Read what a response streams, which closes its file."""
        response: Any = super().request(**request)
        if response.streaming:
            response.streaming_content = [response.getvalue()]
        return response

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        return super().generic(*args, **kwargs | {"secure": True})


class Sender:
    """Send requests as any user."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clients: dict[Any, HTTPSClient] = {}
        self.state: State = {}
        self.files = stored_files()
        self.logs: list[str] = []
        self.opened: list[str] = []
        self.touched: set[str] = set()  # the paths of stored files
        # By path: the names that code has read of a query or a form, and of files.
        self.names: defaultdict[str, set[str]] = defaultdict(set)
        self.file_names: defaultdict[str, set[str]] = defaultdict(set)
        # By the route: whether a cache keeps anything of the owner's page. Each test
        # asks, so the number of requests is the same in any number of processes.
        self.kept_pages: dict[str, bool] = {}
        self.read_bodies: set[str] = set()  # paths whose code read a body itself
        self.has_read = False  # whether the code of this request has read any of it
        self.list_names: set[str] = set()  # of which code reads several values
        self.slow_paths: set[str] = set()  # they took too long once
        self.path = ""
        self.last: Answer  # to the request before
        self.body = ""  # in JSON
        # By method and path, and names: those that made a page fail.
        self.culprits: dict[tuple[str, frozenset[str]], set[str]] = {}

    def client(self, user: Any) -> HTTPSClient:
        key = user and user.pk
        if key not in self.clients:
            self.clients[key] = HTTPSClient(
                raise_request_exception=False,
                headers={"origin": OTHER_SITE, "referer": f"{OTHER_SITE}/"},
            )
            if user:
                log_in(self.clients[key], user)
            # After the log-in, which may write rows of its own.
            self.state = all_values()
        return self.clients[key]

    def refresh(self) -> None:
        """Read the rows again, after something else has changed them."""
        self.world.refresh()
        self.state = all_values()

    def send(
        self,
        user: Any,
        url: str,
        method: str = "get",
        *,
        after: Any = None,
        **options: Any,
    ) -> Answer:
        """Send a request: `after` another user's, if a cache may answer both."""
        note_request(self.world, user, url, method)
        client = self.client(user)
        first = self.client(after) if after else None
        self.path = url.partition("?")[0]
        data = options.get("data")
        self.body = data if isinstance(data, str) else ""
        with undone(client), recorded() as statements:
            # An error in a view ends such a transaction, and not that of the test.
            if first:
                with transaction.atomic():
                    body_of(first.get(url))
            self.logs.clear()
            self.opened.clear()
            self.has_read = False
            forget()
            seconds = 1 if self.path in self.slow_paths else SECONDS
            enqueued = Enqueued(seconds)
            with transaction.atomic(), bounded(seconds), enqueued.kept():
                response = getattr(client, method)(url, **options)
            text = f"{body_of(response)}\n{response.headers}"
            with in_page():
                enqueued.run()
            written = set(written_models(statements.of_page))
            changes = self.changes_by(written)
            mails = list(mail.outbox)
            limits = list(filter(COUNTER.search, RecordingCache.keys))
            is_kept = len(limits) < len(RecordingCache.keys)
        logs = "\n".join(self.logs)
        files = self.restore_files() if self.touched else []
        self.last = Answer(
            response,
            outcome(response),
            text,
            mails,
            logs,
            written,
            statements.writers,
            changes,
            files,
            limits,
            is_kept,
            statements,
            list(self.opened),
            list(NOTICED),
            list(HANDLED),
            list(HANDLED_TEXTS),
            self.has_read,
            len(enqueued.results),
            enqueued.failures,
        )
        if self.last.took_too_long:
            self.slow_paths.add(self.path)
        return self.last

    def answer(self, route: str, person: str, url: str = "") -> Answer:
        """Return the answer to GET, or to the first method that the route allows."""
        user = self.world.person(person, route)
        url = url or self.world.url(route)
        page = self.send(user, url)
        if page.outcome == "405":
            page = self.send(user, url, first_allowed_method(page.response))
        return page

    def changes_by(self, written: set[type[Model]]) -> list[Change]:
        """Return the rows that differ, after statements wrote to these models."""
        changed = changed_with(written)
        before = {key: row for key, row in self.state.items() if key[0] in changed}
        return compare(before, all_values(changed))

    def restore_files(self) -> list[bytes]:
        """Undo what happened to files, and return the contents of new ones."""
        now = stored_files()
        new_paths = now.keys() - self.files.keys()
        for path in new_paths:
            path.unlink()
        for path, content in self.files.items():
            if now.get(path) != content:
                path.write_bytes(content)
        self.touched.clear()
        return [now[path] for path in new_paths]


def log_in(client: HTTPSClient, user: Any) -> None:
    """Start a session, and add what the apps' tables say, such as a token."""
    client.force_login(user)
    for add in functions("log_in"):
        add(client, user)


@contextmanager
def undone(client: HTTPSClient) -> Iterator[None]:
    cookies = deepcopy(client.cookies)
    for cache in caches.all(initialized_only=True):
        cache.clear()  # so that no limit ends the tests
    RecordingCache.keys.clear()
    mail.outbox.clear()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    client.cookies = cookies


class InnermostMiddleware:
    """Notes what is a page's: other middleware is around it.

    That may write at each request, as when a user was last seen.
    """

    is_in_page: ClassVar[bool] = False

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        with in_page():
            return self.get_response(request)


@contextmanager
def in_page() -> Iterator[None]:
    InnermostMiddleware.is_in_page = True
    try:
        yield
    finally:
        InnermostMiddleware.is_in_page = False


class Statements(list[str]):
    """Statements of SQL, those of a page, and who has first written to a table."""

    def __init__(self) -> None:
        super().__init__()
        self.of_page: list[str] = []
        self.writers: dict[str, str] = {}  # own functions, by tables

    def note(self, sql: str) -> None:
        self.append(sql)
        if not InnermostMiddleware.is_in_page:
            return
        self.of_page.append(sql)
        write = WRITE.match(sql)
        if write and write[1] in OWN_TABLES and write[1] not in self.writers:
            self.writers[write[1]] = present_function()


@contextmanager
def recorded() -> Iterator[Statements]:
    """Yield the statements of SQL that are executed."""
    statements = Statements()

    def keep(execute: Any, sql: str, *args: Any) -> Any:
        statements.note(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(keep):
        yield statements


def written_models(statements: list[str]) -> Iterator[type[Model]]:
    """Yield the models of this project to whose tables statements write."""
    for statement in statements:
        write = WRITE.match(statement)
        if write and write[1] in OWN_TABLES:
            yield OWN_TABLES[write[1]]


def written_tables(statements: list[str]) -> set[str]:
    """Return the tables to which statements write."""
    writes = filter(None, map(WRITE.match, statements))
    return {write[1] for write in writes}


def compare(before: State, after: State) -> list[Change]:
    """Return the rows that differ, whatever the time of the last log-in."""
    changes = []
    for model, pk in before.keys() | after.keys():
        old = before.get((model, pk), {})
        new = after.get((model, pk), {})
        if without_login(old) != without_login(new):
            changes.append(Change(model, pk, old, new))
    return changes


def without_login(values: Values) -> Values:
    return {name: value for name, value in values.items() if name != "last_login"}


def body_of(response: Any) -> str:
    if not response.streaming:
        return str(response.content.decode(errors="replace"))
    return b"".join(response.streaming_content).decode(errors="replace")


def stored_files() -> dict[Path, bytes]:
    paths = Path(settings.MEDIA_ROOT).rglob("*")
    return {path: path.read_bytes() for path in paths if path.is_file()}


def record_logs(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the log lines, instead of writing them beside a failure."""

    def keep(logger: logging.Logger, record: logging.LogRecord) -> None:
        values = vars(record).values()
        texts = [value for value in values if isinstance(value, str)]
        sender.logs.append("\n".join([record.getMessage(), *texts]))

    monkeypatch.setattr("logging.Logger.handle", keep)


def record_opened(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the paths of files that code opens, removes or renames."""
    folder = str(settings.MEDIA_ROOT)

    def watch(module: Any, name: str) -> None:
        original = getattr(module, name)

        def called(path: Any, *args: Any, **options: Any) -> Any:
            text = str(path)
            if name == "open":
                sender.opened.append(text)
            # What is renamed may be new.
            if text.startswith(folder) or name in RENAMING:
                sender.touched.add(text)
            return original(path, *args, **options)

        monkeypatch.setattr(module, name, called)

    for module in (builtins, io, os):
        watch(module, "open")
    for name in ("link", "remove", "rename", "replace", "symlink", "unlink"):
        watch(os, name)


class ReadObject(dict[str, Any]):
    """An object of JSON that adds the names that code reads of it to others."""

    def __init__(self, values: Values, names: set[str]) -> None:
        super().__init__({key: read(each, names) for key, each in values.items()})
        self.names = names

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def read(value: Any, names: set[str]) -> Any:
    """Return a value of JSON whose objects add the names that code reads of them."""
    if isinstance(value, dict):
        return ReadObject(value, names)
    return [read(each, names) for each in value] if isinstance(value, list) else value


def record_names(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the names that code reads of a query, a form, its files, or JSON."""

    def watch(method: str) -> None:
        original = getattr(MultiValueDict, method)

        def read(values: Any, name: Any, *args: Any) -> Any:
            if isinstance(name, str) and not OF_FORMSET.search(name):
                note_name(name, values, method, sender)
            return original(values, name, *args)

        monkeypatch.setattr(MultiValueDict, method, read)

    for method in ("__contains__", "__getitem__", "getlist", "pop"):
        watch(method)
    record_json(sender, monkeypatch)


def note_name(name: str, values: Any, method: str, sender: Sender) -> None:
    """Keep a name that a method reads."""
    is_query = isinstance(values, QueryDict)
    if is_query and method == "__contains__":
        return  # a QueryDict reads itself while Django fills it
    if not is_query and not has_only_files(values):
        return  # Django's names of URLs are in such a dictionary
    if method == "getlist":
        sender.list_names.add(name)
    by_path = sender.names if is_query else sender.file_names
    names = by_path[sender.path]
    if len(names) < MOST_NAMES:
        names.add(name)
    sender.has_read = True


def has_only_files(values: Any) -> bool:
    lists = dict.values(values)
    return all(isinstance(each, UploadedFile) for files in lists for each in files)


def record_json(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the names that code reads of what was sent as JSON."""
    load = json.loads

    def loads(text: Any, *args: Any, **options: Any) -> Any:
        content = load(text, *args, **options)
        # Sessions are JSON, too.
        is_sent = text in (sender.body, sender.body.encode())
        if not (is_sent and isinstance(content, dict)):
            return content
        sender.has_read = True
        return read(content, sender.names[sender.path])

    monkeypatch.setattr(json, "loads", loads)
    read_payload = FakePayload.read

    def read_body(payload: Any, *args: Any, **options: Any) -> Any:
        # A form is read by Django.
        if sender.body:
            sender.read_bodies.add(sender.path)
            sender.has_read = True
        return read_payload(payload, *args, **options)

    monkeypatch.setattr(FakePayload, "read", read_body)
