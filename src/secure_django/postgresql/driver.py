"""psycopg, whose connections wait no longer than `limit_waits` allows."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, Self

import psycopg
from psycopg import (  # noqa: F401  # what Django uses of a driver (PEP 249)
    Binary,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from psycopg.errors import ConnectionTimeout
from psycopg.pq import TransactionStatus

from secure_django import postgresql

type Server = tuple[Any, Any]  # its host and its port

# Seconds for which a thread asks no server that did not answer: what else the request
# tries fails at once.
SILENT_SECONDS = 1
CANCEL_SECONDS = 1


class Silence(threading.local):
    """What this thread knows of servers that did not answer."""

    def __init__(self) -> None:
        # When it may ask one again, by the monotonic clock.
        self.ends_at: dict[Server, float] = {}


silence = Silence()


def be_silent(server: Server) -> None:
    silence.ends_at[server] = time.monotonic() + SILENT_SECONDS


class LimitedConnection(psycopg.Connection[Any]):
    own_limit = inf  # seconds

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Self:
        is_limited = postgresql.longest_wait is not None
        server = (kwargs.get("host"), kwargs.get("port"))
        if is_limited and time.monotonic() < silence.ends_at.get(server, 0.0):
            raise OperationalError("The database did not answer a moment ago.")
        try:
            return super().connect(*args, **kwargs)
        except ConnectionTimeout:
            be_silent(server)
            raise

    @contextmanager
    def answering_within(self, seconds: float) -> Iterator[None]:
        """Shorten the limit, if this process has one."""
        self.own_limit = seconds
        try:
            yield
        finally:
            self.own_limit = inf

    def wait(
        self, gen: Any, interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        """Run a step of psycopg, each of which waits for the server here.

        Raise OperationalError at the limit, and close the connection, whose state is
        unknown.
        """
        limit = postgresql.longest_wait
        if limit is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        limit = min(limit, self.own_limit)
        try:
            return super().wait(gen, interval, limit)
        except OperationalError as error:
            if self.info.transaction_status != TransactionStatus.ACTIVE:
                raise  # an answer of the server
            self.give_up()
            message = f"The database did not answer for {limit} seconds."
            raise OperationalError(message) from error

    def give_up(self) -> None:
        """Close the connection, and cancel its query: it may only wait for a lock.

        Otherwise the server would finish a change that the visitor was told had failed.
        """
        try:
            if psycopg.capabilities.has_cancel_safe():  # the older way has no timeout
                self.cancel_safe(timeout=CANCEL_SECONDS)
        except Error:
            parameters = self.info.get_parameters()
            be_silent((parameters.get("host"), parameters.get("port")))
        self.close()
        if self.own_limit == inf:
            postgresql.waits.were_given_up = True


connect = LimitedConnection.connect
