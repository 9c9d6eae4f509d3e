"""A temporary PostgreSQL server for the tests."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.support.live import HANG_SECONDS
from tests.support.services import free_port

type Database = Callable[[], str]


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian does not put on PATH."""
    found = shutil.which("initdb") or next(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), None
    )
    return Path(found).parent if found else None


@dataclass
class PostgreSQL:
    """A server that can be stopped and started again.

    `url` ends where the name of a database belongs.
    """

    url: str
    command: list[str]
    user: str | None
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.log.parent,
                user=self.user,
                stdout=output,
                stderr=output,
            )
        wait_until_ready(self.url, self.process, self.log)

    def stop(self) -> None:
        """Stop the server without waiting for open connections."""
        if self.process:
            # SIGINT is PostgreSQL's fast shutdown.
            self.process.send_signal(
                signal.SIGINT if os.name == "posix" else signal.SIGTERM
            )
            self.process.wait(HANG_SECONDS)

    def create_database(self) -> str:
        """Create a database, and return its URL."""
        return self.url + new_database(self.url)


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Run a new server in a temporary folder."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed")
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.name == "posix" and os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="postgresql-") as scratch:
        if user:
            shutil.chown(scratch, user)
        data = Path(scratch) / "data"
        log = Path(scratch) / "log"
        subprocess.run(
            [
                folder / "initdb",
                "--no-sync",
                "--auth=trust",
                "--username=site",
                "--encoding=UTF8",
                "-D",
                data,
            ],
            cwd=scratch,
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        port = free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            # In the folder of the data, which nothing on this machine cleans.
            "dynamic_shared_memory_type": "mmap",
        }
        command = [
            str(folder / "postgres"),
            "-D",
            str(data),
            *(f"--{name}={it}" for name, it in options.items()),
        ]
        server = PostgreSQL(f"postgres://site@127.0.0.1:{port}/", command, user, log)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def children(pid: int) -> list[int]:
    """Return the process IDs of a process's children."""
    names = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(name) for name in names.split()]


@contextmanager
def stopped(server: PostgreSQL) -> Iterator[None]:
    """Stop the database."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def frozen(server: PostgreSQL) -> Iterator[None]:
    """Let the database and its connections be silent, while the kernel answers."""
    assert server.process
    pids = [server.process.pid, *children(server.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Database]:
    """Return a function that creates a database and returns its URL."""
    with running_postgresql() as server:
        yield server.create_database


def wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server accepts connections; fail if it ends or is too slow."""
    deadline = time.monotonic() + HANG_SECONDS
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
