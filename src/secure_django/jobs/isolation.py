"""What a job or a task leaves behind reaches nothing that runs after it."""

import locale
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any, NamedTuple

from django.db import connections

inherited: list[Any] = []  # connections of the parent process, never to be closed


class OpenTransactionError(Exception):
    """A job or a task has left a transaction open, so its changes were rolled back."""


class ProcessState(NamedTuple):
    """What all threads of a process share, and one of them can change."""

    folder: str
    umask: int
    locale: str
    time_zone: str | None
    zone_names: tuple[str, str]

    @classmethod
    def read(cls) -> "ProcessState":
        umask = os.umask(0o077)
        os.umask(umask)
        return cls(
            folder=os.getcwd(),
            umask=umask,
            locale=locale.setlocale(locale.LC_ALL),
            time_zone=os.environ.get("TZ"),
            zone_names=time.tzname,
        )

    def restore(self) -> None:
        with suppress(OSError):  # the folder is gone
            os.chdir(self.folder)
        os.umask(self.umask)
        if locale.setlocale(locale.LC_ALL) != self.locale:
            locale.setlocale(locale.LC_ALL, self.locale)
        present_zone = (os.environ.get("TZ"), time.tzname)
        if present_zone != (self.time_zone, self.zone_names):
            restore_time_zone(self.time_zone)


def restore_time_zone(name: str | None) -> None:
    os.environ.pop("TZ", None)
    if name is not None:
        os.environ["TZ"] = name
    if hasattr(time, "tzset"):  # Windows has none
        time.tzset()


class Worker:
    """The state of a worker's process at its start.

    Not that before a job: what a job of another lane has changed for a moment would
    stay.
    """

    at_start: ProcessState | None = None


@contextmanager
def keeping_process_state() -> Iterator[None]:
    """Give each job the state of the process that there is now."""
    Worker.at_start = ProcessState.read()
    try:
        yield
    finally:
        Worker.at_start = None


def run_alone[Value](work: Callable[[], Value]) -> Value:
    """Call a function, and take back what it leaves to the next one of this thread.

    It has a copy of the context, so its language and its time zone end with it. A
    forked child process that comes back ends here. Raise OpenTransactionError if the
    function has left a transaction open.
    """
    process = os.getpid()
    depths = {each.alias: len(each.atomic_blocks) for each in opened_connections()}
    try:
        value = copy_context().run(work)
    finally:
        if os.getpid() != process:
            os._exit(1)
        if Worker.at_start:
            Worker.at_start.restore()
        # Tests run jobs in a transaction of their own, which stays.
        was_open = [
            end_transactions(each, depths.get(each.alias, 0))
            for each in opened_connections()
        ]
    if any(was_open):
        raise OpenTransactionError
    return value


def opened_connections() -> list[Any]:
    return list(connections.all(initialized_only=True))


def end_transactions(connection: Any, depth: int) -> bool:
    """Roll back all transactions but `depth`, and return whether there were more."""
    blocks = connection.atomic_blocks[depth:]
    error = OpenTransactionError()
    for block in reversed(blocks):
        with suppress(Exception):  # the connection is closed below
            block.__exit__(OpenTransactionError, error, None)
    if depth:
        return bool(blocks)
    is_in_transaction = ask_driver(connection)
    has_own_commits = connection.autocommit == connection.settings_dict["AUTOCOMMIT"]
    if blocks or is_in_transaction is not False or not has_own_commits:
        connection.close()
    return bool(blocks or is_in_transaction)


def ask_driver(connection: Any) -> bool | None:
    """Return whether SQL has opened a transaction of which Django does not know.

    Return None if there is no connection, or if it was closed without Django.
    """
    driver = connection.connection
    if driver is None:
        return None
    if connection.vendor == "postgresql":
        status = driver.info.transaction_status.name
        return None if status == "UNKNOWN" else status != "IDLE"
    try:
        return bool(getattr(driver, "in_transaction", False))
    except connection.Database.Error:  # it is closed
        return None


def leave_connections() -> None:
    """Make a forked child process connect anew: its parent goes on with these.

    The end of a block of the parent does nothing in the child: even to close the
    connection could wait for ever, for a lock that another thread held at the fork.
    """
    for connection in opened_connections():
        inherited.append(connection.connection)
        if connection.in_atomic_block:
            connection.closed_in_transaction = True
            connection.needs_rollback = True
        else:
            connection.connection = None
