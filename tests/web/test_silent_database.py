"""The limit of waits for PostgreSQL, with a server that is silent after its greeting.

`on_postgresql/waits.py` has the same with a frozen PostgreSQL.
"""

import struct
from collections.abc import Iterator
from contextlib import closing
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from django.db.utils import ConnectionHandler

from secure_django import postgresql
from secure_django.conf.environment import database_url
from secure_django.postgresql import base, driver
from secure_django.testing import HANG_SECONDS

CANCEL = 80877102  # as PostgreSQL's protocol numbers the request
# The log-in is accepted; the key with which a query is cancelled; ready for a query.
GREETING = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I"


class Silent(ThreadingTCPServer):
    """A server that answers no query."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cancelled = Event()

    @property
    def url(self) -> str:
        options = "sslmode=disable&gssencmode=disable"
        return f"postgres://site@127.0.0.1:{self.server_address[1]}/site?{options}"


class Handler(BaseRequestHandler):
    def handle(self) -> None:
        _, code = struct.unpack(">2I", self.request.recv(1024)[:8])
        server: Any = self.server
        if code == CANCEL:
            server.cancelled.set()
            return
        self.request.sendall(GREETING)
        while self.request.recv(1024):
            pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    monkeypatch.setattr(driver, "silence", driver.Silence())
    with Silent() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def database(server: Silent) -> Any:
    """Return a database of Django with a new connection to the server."""
    database: Any = ConnectionHandler({"default": database_url(server.url)})["default"]
    parameters = database.get_connection_params()
    database.connection = database.Database.connect(**parameters)
    return database


@pytest.mark.control("V16.5.2")
def test_query_without_an_answer_is_given_up_and_cancelled(
    server: Silent, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "longest_wait", 0.2)
    with closing(database.connection) as connection:
        with pytest.raises(psycopg.OperationalError, match=r"not answer for 0\.2 sec"):
            connection.execute("SELECT 1")
        assert connection.closed
    assert server.cancelled.wait(HANG_SECONDS)


@pytest.mark.control("V16.5.2")
def test_check_of_a_reused_connection_has_a_shorter_limit(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "longest_wait", HANG_SECONDS)
    monkeypatch.setattr(base, "CHECK_SECONDS", 0.2)
    with closing(database.connection) as connection:
        assert not database.is_usable()
        assert connection.closed
