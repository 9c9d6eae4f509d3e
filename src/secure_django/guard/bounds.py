"""Bounds of one request: CPU time and memory, where the system can set them."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 10  # of CPU time, so that a busy machine changes nothing
MORE_BYTES = 2 << 30


class TookTooLongError(Exception):
    """A view has calculated longer than SECONDS."""


@contextmanager
def bounded(seconds: int = SECONDS) -> Iterator[None]:
    """End what a view does by an exception of its own once it takes too much."""
    with bounded_memory(), bounded_time(seconds):
        yield


@contextmanager
def bounded_time(seconds: int) -> Iterator[None]:
    # Python gives signals to the main thread alone.
    is_main = threading.current_thread() is threading.main_thread()
    if sys.platform == "win32" or not is_main:
        yield
        return
    previous = signal.signal(signal.SIGVTALRM, stop)
    # Again each second, if a view has caught the first.
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous or signal.SIG_DFL)


def stop(number: int, frame: Any) -> None:
    raise TookTooLongError


@contextmanager
def bounded_memory() -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import resource  # other systems have none

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + MORE_BYTES
    is_lower = soft != resource.RLIM_INFINITY and soft < limit
    resource.setrlimit(resource.RLIMIT_AS, (soft if is_lower else limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
