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


def reduced(sender: Sender, user: Any, url: str, request: Request) -> Request | None:
    """Return a request without the values that make a page fail, if they are found.

    The failure may have hidden what the page does with the other values.
    """
    values = body_of(request)

    def fails(names: set[str]) -> bool:
        smaller = keeping(request, names)
        answer = sender.send(user, url, smaller.method, **smaller.options)
        return answer.is_cut_short

    kind = type(request.options["data"]).__name__  # a form, or a text in JSON
    place = f"{request.method} {kind} {url.partition('?')[0]}"
    culprits = culprits_at(sender, place, set(values), fails)
    return keeping(request, values.keys() - culprits) if culprits else None


def reduced_query(sender: Sender, user: Any, query: Query) -> Query | None:
    """Return a query without the values that make a page fail, if they are found."""
    path, _, text = query.url.partition("?")
    values = dict(parse_qsl(text, keep_blank_values=True))

    def keeping_only(names: set[str]) -> str:
        return with_query(path, {name: values[name] for name in sorted(names)})

    def fails(names: set[str]) -> bool:
        return sender.send(user, keeping_only(names)).is_cut_short

    culprits = culprits_at(sender, f"get {path}", set(values), fails)
    if not culprits:
        return None
    return Query(keeping_only(values.keys() - culprits), query.asked)


def culprits_at(
    sender: Sender, place: str, names: set[str], fails: Callable[[set[str]], bool]
) -> set[str]:
    """Return the names whose values make a page fail. They are sought once a page."""
    key = (place, frozenset(names))
    if key not in sender.culprits:
        sender.culprits[key] = find_culprits(names, fails)
    return sender.culprits[key]


def find_culprits(names: set[str], fails: Callable[[set[str]], bool]) -> set[str]:
    """Return the one name without which a page answers, or all that fail alone."""
    ordered_names = sorted(names)
    for name in ordered_names:
        if not fails(names - {name}):
            return {name}
    if fails(set()):
        return set()
    return {name for name in ordered_names if fails({name})}


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
