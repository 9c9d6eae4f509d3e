"""Copied into a project with the recipe of errors in Sentry, with a stub of Sentry."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: D102, D107, INP001

import gzip
import json
import re
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from secure_django.testing import start

LOG_ERRORS = """
import logging
logging.getLogger("uploads").error("secret detail")
try: raise ValueError("secret detail")
except ValueError: logging.getLogger("django.request").exception("secret detail")
raise KeyError("secret detail")
"""
TIME = re.compile(r'"time": "[^"]+", ')
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


def log_errors(dsn: str) -> tuple[int, list[str]]:
    """Return the exit code of a process with errors, and its lines without times."""
    result = start("shell", "--no-imports", "--command", LOG_ERRORS, SENTRY_DSN=dsn)
    assert not result.stdout
    return result.returncode, TIME.sub("", result.stderr).splitlines()


def test_sentry_that_is_down_or_silent_changes_no_other_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dsn = f"http://key@127.0.0.1:{listener.getsockname()[1]}/1"
        silent = log_errors(dsn)
    down_code, down = log_errors(dsn)
    code, expected = log_errors("")
    assert silent == (code, expected)
    assert down_code == code == 1
    assert [line for line in down if line in expected] == expected
    warnings = [json.loads(line) for line in down if line not in expected]
    assert warnings
    for warning in warnings:
        assert warning["level"] == "WARNING"
        assert warning["logger"] == "urllib3.connectionpool"
        assert "secret detail" not in str(warning)


def test_without_the_variable_nothing_is_imported(sentry: Sentry) -> None:
    printed = [
        start("shell", "-v0", "--command", PRINT_MODULES, SENTRY_DSN=dsn).stdout
        for dsn in ("", sentry.dsn)
    ]
    assert printed == ["False\n", "True\n"]
