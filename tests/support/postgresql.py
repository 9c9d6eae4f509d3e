"""A temporary PostgreSQL server for the tests."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.support.live import START_SECONDS

type Database = Callable[[], str]


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian does not put on PATH."""
    found = shutil.which("initdb") or next(Path("/usr/lib/postgresql").glob("*/bin/initdb"), None)
    return Path(found).parent if found else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Database]:
    """Return a function that creates a database and returns its URL."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with postgresql_server() as database:
        yield database


@contextmanager
def postgresql_server() -> Iterator[Database]:
    """Run a server; yield a function that creates a database and returns its URL."""
    folder = programs()
    assert folder, "PostgreSQL is not installed"
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.name == "posix" and os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="postgresql-") as scratch:
        if user:
            shutil.chown(scratch, user)
        data, log = Path(scratch) / "data", Path(scratch) / "log"
        subprocess.run(
            [folder / "initdb", "--no-sync", "--auth=trust", "--username=site", "--encoding=UTF8", "-D", data],
            cwd=scratch,
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            # In the folder of the data: whatever cleans /dev/shm on this machine does not touch it.
            "dynamic_shared_memory_type": "mmap",
        }
        command = [str(folder / "postgres"), "-D", str(data), *(f"--{name}={it}" for name, it in options.items())]
        with log.open("wb") as output:
            server = subprocess.Popen(command, cwd=scratch, user=user, stdout=output, stderr=output)
        url = f"postgres://site@127.0.0.1:{port}/"
        try:
            wait_until_ready(url, server, log)
            yield lambda: url + new_database(url)
        finally:
            # SIGINT is PostgreSQL's fast shutdown: it does not wait for open connections.
            server.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
            server.wait(START_SECONDS)


def wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server accepts connections; fail with its log if it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(url + "postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"PostgreSQL did not start:\n{log.read_text(encoding='utf-8')}")


def new_database(url: str) -> str:
    """Create a database and return its name."""
    name = f"site_{uuid4().hex}"
    with psycopg.connect(url + "postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return name
