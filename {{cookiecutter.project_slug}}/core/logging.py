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

# The token of a password reset link, or of an app's own link: a reader of the log could
# use it. A UUID is shorter.
TOKEN = re.compile(r"(/reset/)\S+|(/)[\w-]{40,}")
MAX_LENGTH = 2000  # of a text in a log line, in characters; a client can send much more
# How many of an exception's first and last frames are logged, and of its causes. A
# recursion has thousands.
FRAMES, CAUSES = 20, 2

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
        if (user := user_id(request)) is not None:
            fields.setdefault("user", user)
        fields["path"] = mask_tokens(request.path)
    security.log(level, event, extra={"fields": fields})


def user_id(request: HttpRequest) -> Any:
    """Return the user's id if a view has read the session.

    Reading it here would load and renew it for each image.
    """
    session = getattr(request, "session", None)
    key = session.get(SESSION_KEY) if session is not None and session.accessed else None
    return key and get_user_model()._meta.pk.to_python(key)


class JSONFormatter(logging.Formatter):
    """Format each record as one line of ASCII JSON.

    A line break in a value stays inside its string. The formatter needs no settings:
    gunicorn uses it before Django is set up.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "event": mask_tokens(record.getMessage()),
        }
        if number := request_id.get():
            line["request_id"] = number
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1]:
            error, *causes = map(describe, chain(record.exc_info[1]))
            line |= error | ({"causes": ends(causes, CAUSES)} if causes else {})
        return json.dumps(
            {name: shorten(value) for name, value in line.items()}, default=str
        )


def shorten(value: object) -> object:
    return (
        f"{value[:MAX_LENGTH]}…"
        if isinstance(value, str) and len(value) > MAX_LENGTH
        else value
    )


def mask_tokens(text: str) -> str:
    return TOKEN.sub(r"\1\2…", text)


def chain(error: BaseException | None) -> list[BaseException]:
    """Return an exception and its causes, those that a traceback shows."""
    found: dict[int, BaseException] = {}
    while error is not None and id(error) not in found:
        found[id(error)] = error
        error = error.__cause__ or (
            None if error.__suppress_context__ else error.__context__
        )
    return list(found.values())


def describe(error: BaseException) -> dict[str, Any]:
    """Return class and frames, without the text and the variables.

    Those can hold personal data and secrets.
    """
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    at = [f"{code.co_filename}:{line} {code.co_qualname}" for code, line in frames]
    return {"error": type(error).__name__, "at": ends(at, FRAMES)}


def ends(items: list[Any], count: int) -> list[Any]:
    return items if len(items) <= 2 * count else [*items[:count], "…", *items[-count:]]
