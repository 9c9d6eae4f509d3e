"""The record of a project: the template, its release and the answers.

.cruft.json has it, in the format of cruft.
"""

import sys
from pathlib import Path
from typing import Any

from secure_django.commands.programs import NotRun
from secure_django.untrusted import UnreadableError, read_json

RECORD = Path(".cruft.json")
DAMAGED = """\
{record} is missing or damaged: {reason}. It records the template, the release and the \
answers: restore it."""


def read_record(root: Path = Path()) -> dict[str, Any]:
    """Return the record of a project; raise NotRun if it is damaged.

    It names a template. What was generated may be missing: cruft records nothing of
    that.
    """
    try:
        record = read_json(root / RECORD)
        check_record(record)
    except UnreadableError as error:
        reason = str(error)
        raise NotRun(DAMAGED.format(record=RECORD, reason=reason)) from error
    content: dict[str, Any] = record
    return content


def require_record() -> dict[str, Any]:
    """Return the record of the project, with its commit, or end with a sentence."""
    try:
        record = read_record()
    except NotRun as reason:
        sys.exit(str(reason))
    if "commit" not in record:
        sys.exit(DAMAGED.format(record=RECORD, reason="it has no commit"))
    return record


def check_record(record: object) -> None:
    """Raise UnreadableError if a field that commands read has another form."""
    if not isinstance(record, dict):
        raise UnreadableError("it is no object")
    if not record.get("template"):
        raise UnreadableError("it has no template")
    for name in ("template", "commit"):
        if not isinstance(record.get(name, ""), str):
            raise UnreadableError(f"{name} is no text")
    generated = record.get("generated", {})
    if not isinstance(generated, dict):
        raise UnreadableError("generated is no object")
    for name, value in generated.items():
        if not isinstance(value, str):
            raise UnreadableError(f"{name} of generated is no text")
