"""Requests without a value that made a page fail, or that it may have stored."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from django.core.files.uploadedfile import SimpleUploadedFile

from secure_django.guard.files import TABLE
from secure_django.guard.queries import Query, with_query
from secure_django.guard.requests import Request, json_options
from secure_django.guard.rows import Values
from secure_django.guard.sending import Sender

# Requests of one search: a page may fail whatever it gets.
MOST_TRIES = 40


def reduced(sender: Sender, user: Any, url: str, request: Request) -> Request | None:
    """Return a request without the values that make a page fail, if they are found.

    The failure may have hidden what the page does with the other values.
    """
    values = body_of(request)

    def fails(names: set[str]) -> bool:
        smaller = keeping(request, names)
        answer = sender.send(user, url, smaller.method, **smaller.options)
        return answer.is_cut_short

    path = url.partition("?")[0]
    kind = type(request.options["data"]).__name__  # a form, or a text in JSON
    place = f"{request.method} {kind} {path}"
    culprits = Search(sender, path, set(values), fails).culprits(place)
    return keeping(request, values.keys() - culprits) if culprits else None


def reduced_query(sender: Sender, user: Any, query: Query) -> Query | None:
    """Return a query without the values that make a page fail, if they are found."""
    path, _, text = query.url.partition("?")
    values = dict(parse_qsl(text, keep_blank_values=True))

    def keeping_only(names: set[str]) -> str:
        return with_query(path, {name: values[name] for name in sorted(names)})

    def fails(names: set[str]) -> bool:
        return sender.send(user, keeping_only(names)).is_cut_short

    culprits = Search(sender, path, set(values), fails).culprits(f"get {path}")
    if not culprits:
        return None
    return Query(keeping_only(values.keys() - culprits), query.asked)


class Search:
    """The search for the values that make a page fail, among those that it reads."""

    def __init__(
        self,
        sender: Sender,
        path: str,
        names: set[str],
        fails: Callable[[set[str]], bool],
    ) -> None:
        self.sender = sender
        self.path = path
        self.names = names
        self.fails_with = fails
        self.tries = 0

    def fails(self, names: set[str]) -> bool:
        """Return whether a page fails with the values of these names."""
        self.tries += 1
        return self.fails_with(names)

    def culprits(self, place: str) -> set[str]:
        """Return the names of these values. They are sought once a page."""
        key = (place, frozenset(self.names))
        if key not in self.sender.culprits:
            self.sender.culprits[key] = self.find()
        return self.sender.culprits[key]

    def read_names(self) -> set[str]:
        """Return the names that the view has read so far: no others make it fail."""
        read = self.sender.names[self.path] | self.sender.file_names[self.path]
        return self.names & read

    def find(self) -> set[str]:
        """Return the names without which the page answers, or all that fail alone."""
        left_out: set[str] = set()
        name = self.next_culprit(left_out)
        while name:
            left_out.add(name)
            if not self.fails(self.names - left_out):
                return left_out
            name = self.next_culprit(left_out)
        return self.failing_alone()

    def next_culprit(self, left_out: set[str]) -> str:
        """Return a name without which the view answers, or reads more than before."""
        before = self.read_names()
        for name in sorted(before - left_out):
            if self.tries >= MOST_TRIES:
                break
            is_failing = self.fails(self.names - left_out - {name})
            if not is_failing or self.read_names() > before:
                return name
        return ""

    def failing_alone(self) -> set[str]:
        suspects = self.read_names()
        others = self.names - suspects
        is_over = self.tries >= MOST_TRIES
        if not suspects or is_over or self.fails(others):
            return set()
        return {name for name in suspects if self.fails(others | {name})}


def body_of(request: Request) -> Values:
    """Return the values of a form, or of an object in JSON."""
    data = request.options["data"]
    content = json.loads(data) if isinstance(data, str) else data
    return content if isinstance(content, dict) else {}


def keeping(request: Request, names: set[str]) -> Request:
    """Return a request with the values of these names alone."""
    values = body_of(request)
    rewind(values.values())
    kept = {name: value for name, value in values.items() if name in names}
    sent = {name: value for name, value in request.sent.items() if name in names}
    is_json = isinstance(request.options["data"], str)
    options = request.options | (json_options(kept) if is_json else {"data": kept})
    return Request(request.method, options, sent)


def rewind(values: Iterable[Any]) -> None:
    """Let files be read again."""
    for value in values:
        if isinstance(value, SimpleUploadedFile):
            value.seek(0)


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
