"""Security events, and log lines that no input can forge.

Event names come from OWASP's Logging Vocabulary. An event holds the user's id and the
requested path, never form data, email addresses, IP addresses or session keys.
"""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from traceback import walk_tb
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model
from django.http import HttpRequest

__all__ = ["log_event", "request_id"]

# The token of a password reset link, or of an app's own link: a reader of the log could
# use it. A UUID is shorter, so it stays.
TOKEN = re.compile(r"(/reset/)\S+|(/)[\w-]{40,}")
MAX_LENGTH = 2000  # of a text in a log line, in characters; a client can send much more
# How many of an exception's first frames, and of its last frames, are logged. A
# recursion has thousands.
FRAMES = 20
CAUSES = 2  # the same for its causes

security = logging.getLogger("security")
# The id of the request, or of the worker's job. Every log line contains it.
request_id: ContextVar[str] = ContextVar("request_id", default="")


def log_event(
    event: str,
    request: HttpRequest | None = None,
    *,
    level: int = logging.INFO,
    **fields: object,
) -> None:
    """Log a security event with the user and path of the request, and with `fields`."""
    if request is not None:
        user = user_id(request)
        if user is not None:
            fields.setdefault("user", user)
        fields["path"] = mask_tokens(request.path)
    security.log(level, event, extra={"fields": fields})


def user_id(request: HttpRequest) -> Any:
    """Return the user's id if a view has read the session.

    Reading the session here would load and renew it for each image.
    """
    session = getattr(request, "session", None)
    if session is None or not session.accessed:
        return None
    key = session.get(SESSION_KEY)
    return key and get_user_model()._meta.pk.to_python(key)


class JSONFormatter(logging.Formatter):
    """Format each record as one line of ASCII JSON.

    A line break in a value stays inside its string. The formatter needs no settings:
    gunicorn uses it before Django is set up.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": mask_tokens(message_of(record)),
        }
        present_id = request_id.get()
        if present_id:
            line["request_id"] = present_id
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1]:
            line |= describe_with_causes(record.exc_info[1])
        shortened = {name: shorten(value) for name, value in line.items()}
        return json.dumps(shortened, default=str)


def message_of(record: logging.LogRecord) -> str:
    """Return the message of a record.

    After its first line, asyncio writes the task, with the text of its error.
    """
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


def shorten(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_LENGTH:
        return f"{value[:MAX_LENGTH]}…"
    return value


def mask_tokens(text: str) -> str:
    return TOKEN.sub(r"\1\2…", text)


def describe_with_causes(error: BaseException) -> dict[str, Any]:
    errors = chain_of(error)
    description, *causes = map(describe, errors)
    if causes:
        description["causes"] = first_and_last(causes, CAUSES)
    return description


def chain_of(error: BaseException | None) -> list[BaseException]:
    """Return an exception and its causes, those that a traceback shows."""
    chain: dict[int, BaseException] = {}
    while error is not None and id(error) not in chain:
        chain[id(error)] = error
        context = None if error.__suppress_context__ else error.__context__
        error = error.__cause__ or context
    return list(chain.values())


def describe(error: BaseException) -> dict[str, Any]:
    """Return class and frames, without the text and the variables.

    Text and variables can hold personal data and secrets.
    """
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    places = [f"{code.co_filename}:{line} {code.co_qualname}" for code, line in frames]
    return {"error": type(error).__name__, "at": first_and_last(places, FRAMES)}


def first_and_last(items: list[Any], count: int) -> list[Any]:
    """Return `count` items of each end, with an ellipsis between them."""
    if len(items) <= 2 * count:
        return items
    return [*items[:count], "…", *items[-count:]]
