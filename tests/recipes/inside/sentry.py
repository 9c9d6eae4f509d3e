"""Copied into a project with the recipe of errors in Sentry, with a stub of Sentry."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: D102, D107, I001, INP001

import gzip
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from core.testing import start

LOG_ERRORS = """
import logging
logging.getLogger("uploads").error("secret detail")
try: raise ValueError("secret detail")
except ValueError: logging.getLogger("django.request").exception("secret detail")
raise KeyError("secret detail")
"""
PRINT_MODULES = "import sys; print('sentry_sdk' in sys.modules)"


class Sentry(ThreadingHTTPServer):
    """Receive errors like Sentry."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []

    @property
    def dsn(self) -> str:
        return f"http://key@127.0.0.1:{self.server_port}/1"


class Handler(BaseHTTPRequestHandler):
    """Keep what the stub receives."""

    server: Sentry

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    with Sentry() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_sentry_receives_each_error_without_its_text(sentry: Sentry) -> None:
    result = start(
        "shell", "--no-imports", "--command", LOG_ERRORS, SENTRY_DSN=sentry.dsn
    )
    events = [
        json.loads(body.splitlines()[2])
        for body in sentry.bodies
        if b'"type":"event"' in body
    ]
    assert [event["exception"]["values"][-1]["type"] for event in events] == [
        "ValueError",
        "KeyError",
    ]
    assert b"secret detail" not in b"".join(sentry.bodies)
    assert "Sentry" not in result.stdout + result.stderr


def test_sentry_that_is_down_changes_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dsn = f"http://key@127.0.0.1:{listener.getsockname()[1]}/1"
    without, down = (
        start("shell", "--no-imports", "--command", LOG_ERRORS, SENTRY_DSN=value)
        for value in ("", dsn)
    )
    assert down.returncode == without.returncode == 1
    assert down.stdout == without.stdout
    events = [
        [json.loads(line)["event"] for line in result.stderr.splitlines()]
        for result in (without, down)
    ]
    assert events[0] == events[1]


def test_without_the_variable_nothing_is_imported(sentry: Sentry) -> None:
    printed = [
        start("shell", "-v0", "--command", PRINT_MODULES, SENTRY_DSN=dsn).stdout
        for dsn in ("", sentry.dsn)
    ]
    assert printed == ["False\n", "True\n"]
