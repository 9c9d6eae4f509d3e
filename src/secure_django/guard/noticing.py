"""What happens during a request, and no answer shows."""

import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import CodeType

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.http import Http404

# Sentences of what is wrong, which tables add by `notice`.
NOTICED: list[str] = []
# The names of exceptions that own code has handled.
HANDLED: list[str] = []
# What those say that no own code has raised.
HANDLED_TEXTS: list[str] = []
SHORTEST_TEXT = 12  # characters: a shorter one may stand on a page by chance
# How views say no.
USUAL = (Http404, ObjectDoesNotExist, PermissionDenied, ValidationError)
TOOL_IDS = (4, 3)  # those that Python gives no debugger, profiler or coverage


def notice(sentence: str) -> None:
    """Say what is wrong, and let the request go on: an error would hide the rest."""
    NOTICED.append(sentence)


def forget() -> None:
    NOTICED.clear()
    HANDLED.clear()
    HANDLED_TEXTS.clear()


@contextmanager
def handled_exceptions(folders: Iterable[str]) -> Iterator[None]:
    """Note the exceptions that code in these folders handles.

    What comes after them is not seen.
    """
    places = tuple(folders)

    def note(code: CodeType, _offset: int, error: BaseException) -> None:
        if code.co_filename.startswith(places) and not isinstance(error, USUAL):
            HANDLED.append(type(error).__name__)
            if len(str(error)) >= SHORTEST_TEXT and not is_raised_in(error, places):
                HANDLED_TEXTS.append(str(error))

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


def is_raised_in(error: BaseException, places: tuple[str, ...]) -> bool:
    """Return whether code in these folders has raised an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or not frames[-1].filename.startswith(places):
        return False
    # A function of C, such as int(), has no frame of its own.
    return (frames[-1].line or "").startswith("raise")


def is_free(tool: int) -> bool:
    return sys.monitoring.get_tool(tool) is None
