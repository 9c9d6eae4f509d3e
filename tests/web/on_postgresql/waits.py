"""The limit of waits for PostgreSQL: a lock, a query, a frozen server process."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from secure_django import postgresql
from secure_django.models import LastRun
from secure_django.postgresql import base, driver
from secure_django.testing import HTTPSClient, Login
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)
ENDLESS = "SELECT pg_sleep(600)"


@pytest.fixture(autouse=True)
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Limit waits to a second, as a web process limits them to seven."""
    assert connection.vendor == "postgresql"
    monkeypatch.setattr(postgresql, "longest_wait", 1)
    monkeypatch.setattr(driver, "silence", driver.Silence())
    yield
    monkeypatch.undo()
    connection.close()


def run(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


@contextmanager
def frozen() -> Iterator[None]:
    """Stop the server process of the connection: its kernel still acknowledges."""
    native: Any = connection.connection
    pid = native.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_lock_is_waited_for_until_the_limit_and_changes_nothing_later() -> None:
    row = LastRun.objects.create(name="locked", at="2000-01-01T00:00Z")
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    own = {name: parameters[name] for name in names if name in parameters}
    with psycopg.connect(**own) as other:
        other.execute("UPDATE secure_django_lastrun SET name = name")
        with pytest.raises(OperationalError, match="did not answer for 1 seconds"):
            LastRun.objects.update(at="2001-01-01T00:00Z")
        connection.close_if_unusable_or_obsolete()
        # The server answers, so the thread may ask it again at once.
        assert run("SELECT 1") == (1,)
        query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while run(query) != (0,):
            time.sleep(0.05)
    row.refresh_from_db()
    assert row.at.year == 2000


def test_frozen_server_ends_a_transaction_and_what_follows_at_once() -> None:
    run("SELECT 1")
    started = time.monotonic()

    @transaction.atomic
    def change() -> None:
        LastRun.objects.create(name="lost", at="2000-01-01T00:00Z")
        with frozen():
            run("SELECT 1")

    with pytest.raises(OperationalError, match="did not answer"):
        change()
    assert time.monotonic() - started < 8
    assert not LastRun.objects.filter(name="lost").exists()


def test_reused_connection_to_a_frozen_server_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgresql, "longest_wait", 600)
    monkeypatch.setattr(base, "CHECK_SECONDS", 0.5)
    run("SELECT 1")
    with frozen():
        assert not connection.is_usable()
    connection.close()
    assert run("SELECT 1") == (1,)


def test_process_without_a_limit_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "longest_wait", None)
    run("SELECT pg_sleep(1.5)")


def test_query_that_takes_longer_gets_the_page(
    login: Login, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: HTTPSClient = login(user)
    client.raise_request_exception = False
    create_cursor = connection.create_cursor

    def sleep_first(*args: Any, **kwargs: Any) -> Any:
        cursor = create_cursor(*args, **kwargs)
        cursor.execute(ENDLESS)
        return cursor

    monkeypatch.setattr(connection, "create_cursor", sleep_first)
    response = client.get("/accounts/password/change/")
    assert (response.status_code, "Temporarily" in response.text) == (503, True)
