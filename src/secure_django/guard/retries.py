"""Requests without a value that made a page fail, or that it may have stored."""

import json
from collections.abc import Iterable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from secure_django.guard.files import TABLE
from secure_django.guard.requests import Request, json_options
from secure_django.guard.rows import Values
from secure_django.guard.sending import Sender


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
