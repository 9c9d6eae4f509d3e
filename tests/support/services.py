"""Services for the tests of production: Redis and object storage."""

import http.client
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
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


@contextmanager
def killed_redis(folder: Path, port: int, lines: str) -> Iterator[None]:
    """Run a server with its data in the folder, and kill it at the end."""
    if not shutil.which("redis-server"):
        pytest.skip("Redis is not installed")
    file = folder / "redis.conf"
    text = f"bind 127.0.0.1\nport {port}\ndir {folder}\n{lines}"
    file.write_text(text, encoding="utf-8")
    with running(["redis-server", str(file)], port, folder / "log") as server:
        yield
        server.kill()
        server.wait(HANG_SECONDS)


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
