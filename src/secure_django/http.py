"""JSON in requests: what a view reads is well-formed, small, and of the named types."""

import re
from collections.abc import Collection, Iterator, Mapping
from math import isfinite
from types import UnionType
from typing import Any, Union, get_args, get_origin

from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest
from django.http.request import UnreadablePostError

from secure_django import untrusted
from secure_django.untrusted import UnreadableError, decode

__all__ = ["json_body"]

type Kind = type | UnionType

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20  # of arrays and objects in each other
MAX_DIGITS = 100  # of a number, as it is written
LARGEST_INTEGER = 2**63 - 1  # of a database
NAMES = {
    dict: "an object",
    list: "an array",
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


class InvalidJSONError(BadRequest):
    """A body that is no JSON, or not what the view takes.

    The answer is 400 with this sentence, which has nothing of the body.
    """


def json_body(
    request: HttpRequest,
    fields: Mapping[str, Kind] | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
) -> dict[str, Any]:
    """Return the JSON object that a request has sent.

    `fields` names what the view takes, such as `{"title": str, "seats": int | None}`. A
    field that is there has this type, one that may be null can be missing, and what is
    not named is left out.

    Anything else is answered by status 400, with a sentence in JSON: another content
    type or charset, too many bytes, a value too deep in others, a name that is there
    twice, NUL, half a character, and a number that no database stores.
    """
    body = read_body(request, max_bytes)
    content = parse_json(body, max_depth)
    if not isinstance(content, dict):
        raise InvalidJSONError("The JSON must be an object.")
    if fields is None:
        return content
    check_fields(content, fields)
    return {name: content[name] for name in fields if name in content}


def read_body(
    request: HttpRequest,
    max_bytes: int = MAX_BYTES,
    content_types: Collection[str] = ("application/json",),
) -> bytes:
    """Return the body of a request, if its headers say that it is JSON in UTF-8."""
    if request.content_type not in content_types:
        expected = " or ".join(content_types)
        raise InvalidJSONError(f"Send the content type {expected}.")
    charset = (request.content_params or {}).get("charset", "utf-8")
    if charset.lower() not in {"utf-8", "utf8"}:
        raise InvalidJSONError("Send the JSON in UTF-8.")
    too_large = InvalidJSONError(f"Send at most {max_bytes} bytes of JSON.")
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch("[0-9]{1,18}", length) or int(length) > max_bytes:
        raise too_large
    try:
        body = request.body
    except RequestDataTooBig:
        raise too_large from None
    except UnreadablePostError:  # the client has left
        raise InvalidJSONError("The body has no end.") from None
    if len(body) > max_bytes:
        raise too_large
    return body


def parse_json(body: bytes | str, max_depth: int = MAX_DEPTH) -> Any:
    """Return what a body says, or raise InvalidJSONError."""
    try:
        text = body if isinstance(body, str) else decode(body, max_bytes=len(body))
        content = untrusted.parse_json(
            text, max_depth, parse_int=as_integer, parse_float=as_float
        )
    except UnreadableError as error:
        raise InvalidJSONError(f"The JSON cannot be read: {error}.") from None
    for part in texts_in(content):
        check_text(part)
    return content


def as_integer(text: str) -> int:
    check_length(text)
    number = int(text)
    if abs(number) > LARGEST_INTEGER:
        raise InvalidJSONError("A number of the JSON is too large.")
    return number


def as_float(text: str) -> float:
    check_length(text)
    number = float(text)
    if not isfinite(number):
        raise InvalidJSONError("A number of the JSON is too large.")
    return number


def check_length(number: str) -> None:
    if len(number) > MAX_DIGITS:
        raise InvalidJSONError("A number of the JSON is too long.")


def texts_in(content: Any) -> Iterator[str]:
    """Yield each text and each name. The depth is bounded before."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from texts_in(part)
    elif isinstance(content, dict):
        for name, part in content.items():
            yield name
            yield from texts_in(part)


def check_text(text: str) -> None:
    """Refuse what PostgreSQL cannot store, and what no encoding has."""
    if "\0" in text:
        raise InvalidJSONError("A text of the JSON has the character NUL.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidJSONError("A text of the JSON has half a character.") from None


def check_fields(content: Mapping[str, Any], fields: Mapping[str, Kind]) -> None:
    for name, kind in fields.items():
        kinds = types_of(name, kind)
        if name not in content and type(None) not in kinds:
            raise InvalidJSONError(f"The JSON lacks {name}.")
        if not has_kind(content.get(name), kinds):
            expected = " or ".join(NAMES[each] for each in kinds)
            raise InvalidJSONError(f"{name} must be {expected}.")


def types_of(name: str, kind: Kind) -> tuple[type, ...]:
    """Return the types that a view takes; refuse what says more, such as list[str]."""
    is_union = get_origin(kind) in {Union, UnionType}
    kinds = get_args(kind) if is_union else (kind,)
    if not NAMES.keys() >= set(kinds):
        message = f"{name}: name types such as list, and check what is in it yourself."
        raise TypeError(message)
    return kinds


def has_kind(value: Any, kinds: Collection[type]) -> bool:
    """Return whether a value has one of these types: true is no number, 1 is one."""
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, int) and float in kinds:
        return True
    return isinstance(value, tuple(kinds))
