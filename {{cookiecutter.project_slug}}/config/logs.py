"""Security events, and log lines that no input can forge.

Event names are those of OWASP's Logging Vocabulary. Who did it is an account's number, where is the path
that was asked for: no field of a form, no account's e-mail address, no network address, no session.
"""

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from django.conf import settings
from django.http import HttpRequest

# The link of a reset mail: who reads it in a log could use it.
RESET_LINK = re.compile(r"(/reset/)\S+")

security = logging.getLogger("security")


def log_event(event: str, request: HttpRequest | None = None, *, level: int = logging.INFO, **fields: object) -> None:
    """Logs a security event with the account and path of the request, and `fields` beside them."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        fields.setdefault("user", user.pk)
    if request is not None:
        fields["path"] = without_reset_link(request.path)
    security.log(level, event, extra={"fields": fields})


class JSONFormatter(logging.Formatter):
    """One JSON object a line, ASCII only: a line break in a value stays inside its string."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": without_reset_link(record.getMessage()),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0]:
            line |= {"error": record.exc_info[0].__name__, "at": place(record.exc_info[2])}
        return json.dumps(line, default=str)


def without_reset_link(text: str) -> str:
    return RESET_LINK.sub(r"\1…", text)


def place(trace: TracebackType | None) -> list[str]:
    """Names the project's innermost frame and the innermost of all.

    An exception's text and a frame's variables can hold personal data and secrets, so neither is logged.
    """
    frames = traceback.extract_tb(trace)
    own = [frame for frame in frames if is_own(Path(frame.filename))]
    return list(dict.fromkeys(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in own[-1:] + frames[-1:]))


def is_own(path: Path) -> bool:
    return path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts
