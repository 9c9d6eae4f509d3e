"""Services for the tests of production: Redis, object storage, a stub of Sentry."""

import gzip
import http.client
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support.live import HANG_SECONDS

type Buckets = Callable[[], str]


def free_port() -> int:
    """Return a local port that no process uses.

    It is below those that systems give to connections: one of these could be taken
    before the server listens.
    """
    while True:
        port = 15000 + secrets.randbelow(17000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_until(
    condition: Callable[[], object], what: str, seconds: float = HANG_SECONDS
) -> None:
    """Wait until the condition is true; fail with `what` if that never happens."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def accepts_connections(port: int) -> bool:
    """Return whether a server listens on a local port."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def running(
    command: list[str], port: int, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the context; wait until it listens on its port."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=log.parent, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            wait_until(
                lambda: server.poll() is not None or accepts_connections(port),
                command[0],
            )
            assert server.poll() is None, log.read_text(encoding="utf-8")
            yield server
        finally:
            server.terminate()
            server.wait(HANG_SECONDS)


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of an empty Redis server.

    Failed log-ins that it still counts would block those of the next test.
    """
    if not shutil.which("redis-server"):
        pytest.skip("Redis is not installed")
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run a server that writes its log into the folder; yield its URL."""
    port = free_port()
    with running(
        ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""],
        port,
        folder / "log",
    ):
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buckets]:
    """Return a function that creates a bucket and returns its STORAGE_URL."""
    port = free_port()
    log = tmp_path_factory.mktemp("storage") / "log"

    def create() -> str:
        name = f"photos-{uuid4().hex}"
        assert fetch(f"http://127.0.0.1:{port}/{name}", "PUT").status == 200
        return f"s3://key:a%2Fsecret@127.0.0.1:{port}/{name}?region=us-east-1"

    with running(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        port,
        log,
    ):
        yield create


def fetch(url: str, method: str = "GET") -> http.client.HTTPResponse:
    """Send a request over HTTP; return the response, whose body is not read yet."""
    parts = urlsplit(url)
    assert parts.hostname
    connection = http.client.HTTPConnection(
        parts.hostname, parts.port, timeout=HANG_SECONDS
    )
    connection.request(method, f"{parts.path}?{parts.query}")
    return connection.getresponse()


class ErrorCollector(ThreadingHTTPServer):
    """Receive errors like Sentry; `bodies` holds what was sent, with the headers."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), ErrorHandler)
        self.bodies: list[str] = []

    @property
    def dsn(self) -> str:
        """Return the value of SENTRY_DSN that leads to this server."""
        return f"http://publickey@127.0.0.1:{self.server_port}/1"


class ErrorHandler(BaseHTTPRequestHandler):
    """Record each request of an ErrorCollector."""

    server: ErrorCollector

    def do_POST(self) -> None:
        """Keep the body, and answer as Sentry does."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append(f"{self.headers}\n{body.decode()}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Write nothing."""


@pytest.fixture
def error_collector() -> Iterator[ErrorCollector]:
    """Return a running stub of Sentry."""
    with ErrorCollector() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
