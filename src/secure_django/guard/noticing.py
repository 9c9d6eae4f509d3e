"""What happens during a request, and no answer shows."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import CodeType

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.http import Http404

# Sentences of what is wrong, which tables add by `notice`.
NOTICED: list[str] = []
# The names of exceptions that own code has handled.
HANDLED: list[str] = []
# How views say no.
USUAL = (Http404, ObjectDoesNotExist, PermissionDenied, ValidationError)
TOOL_IDS = (4, 3)  # those that Python gives no debugger, profiler or coverage


def notice(sentence: str) -> None:
    """Say what is wrong, and let the request go on: an error would hide the rest."""
    NOTICED.append(sentence)


def forget() -> None:
    NOTICED.clear()
    HANDLED.clear()


@contextmanager
def handled_exceptions(folders: Iterable[str]) -> Iterator[None]:
    """Note the exceptions that code in these folders handles.

    What comes after them is not seen.
    """
    places = tuple(folders)

    def note(code: CodeType, _offset: int, error: BaseException) -> None:
        if code.co_filename.startswith(places) and not isinstance(error, USUAL):
            HANDLED.append(type(error).__name__)

    tool = next(filter(is_free, TOOL_IDS), None)
    if tool is None:
        yield
        return
    events = sys.monitoring.events.EXCEPTION_HANDLED
    sys.monitoring.use_tool_id(tool, "secure_django.guard")
    sys.monitoring.register_callback(tool, events, note)
    sys.monitoring.set_events(tool, events)
    try:
        yield
    finally:
        sys.monitoring.set_events(tool, 0)
        sys.monitoring.free_tool_id(tool)


def is_free(tool: int) -> bool:
    return sys.monitoring.get_tool(tool) is None
