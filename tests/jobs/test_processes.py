"""Workers lose no task and end none twice, whenever they or the database die."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.baking import ROOT, clean_environment, production, run
from tests.support.inplace import SITE
from tests.support.live import HANG_SECONDS
from tests.support.postgresql import (
    PostgreSQL,
    frozen,
    running_postgresql,
    stopped,
)
from tests.support.services import wait_until

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(
        sys.platform != "linux", reason="the processes here need fork and signals"
    ),
]

PROCESSES = str(Path(__file__).with_name("processes.py"))
TASKS = 60  # of 0.1 seconds each
FAULT_SECONDS = 5


def environment_of(folder: Path, url: str) -> dict[str, str]:
    return production(SITE) | {
        "DATABASE_URL": url,
        "MEDIA_ROOT": str(folder / "media"),
        "EFFECTS": str(folder / "effects"),
        "ENDS": str(folder / "ends"),
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, SITE))),
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "ignore", PROCESSES, *arguments]


@pytest.mark.control("tasks")
@pytest.mark.parametrize(
    ("part", "database"),
    [
        ("kill-between-lines", "sqlite"),
        ("kill-between-lines", "postgresql"),
        ("kill-while-enqueuing", "sqlite"),
        ("kill-while-enqueuing", "postgresql"),
        ("kill-workers", "postgresql"),
        ("run-four-workers", "sqlite"),
        ("run-four-workers", "postgresql"),
        ("run-old-beside-new", "postgresql"),
        ("hostile", "sqlite"),
        ("hostile", "postgresql"),
    ],
)
def test_no_task_is_lost_or_ends_twice(
    part: str, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Workers die before any line, run in parallel, and beside older ones."""
    url = f"sqlite:///{(tmp_path / 'production.sqlite3').as_posix()}"
    if database == "postgresql":
        url = request.getfixturevalue(database)()
    print(run(SITE, *command(part), **environment_of(tmp_path, url)))  # noqa: T201


@contextmanager
def restarted(server: PostgreSQL) -> Iterator[None]:
    """Restart the database, and wait until it is back."""
    server.stop()
    server.start()
    yield


@contextmanager
def full(server: PostgreSQL) -> Iterator[None]:
    """Fill the disk of the database, which may end."""
    assert server.process
    filler = server.log.parent / "filler"
    assert filler.is_relative_to(tempfile.gettempdir())
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={filler}", "bs=64k"],
        check=False,  # it ends with an error
        stderr=subprocess.DEVNULL,
    )
    assert shutil.disk_usage(filler.parent).free < 2**20
    yield
    filler.unlink()
    if server.process.poll() is not None:
        server.start()


@contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a disk of 160 MB, or skip the test."""
    if os.geteuid():
        pytest.skip("only root mounts a disk")
    # PostgreSQL's user may not read the folders of pytest.
    with tempfile.TemporaryDirectory(prefix="disk-") as folder:
        Path(folder).chmod(0o755)
        options = ["-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs"]
        mounted = subprocess.run(
            ["mount", *options, folder], check=False, capture_output=True
        )
        if mounted.returncode:
            pytest.skip(f"this machine mounts no disk: {mounted.stderr.decode()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@contextmanager
def running_workers(environment: dict[str, str], log: Path) -> Iterator[None]:
    """Run two workers, and fail if one ends before its signal."""
    with log.open("wb") as output:
        workers = [
            subprocess.Popen(
                command("work"),
                cwd=SITE,
                env=clean_environment() | environment,
                stdout=output,
                stderr=output,
            )
            for _ in range(2)
        ]
        try:
            yield
            assert [worker.poll() for worker in workers] == [None, None]
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(HANG_SECONDS)


@pytest.mark.control("tasks")
@pytest.mark.parametrize("fault", [stopped, restarted, frozen, full])
def test_tasks_survive_their_database(
    fault: Callable[[PostgreSQL], AbstractContextManager[None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Claims end while the database is away, so the other worker may take over."""
    with ExitStack() as stack:
        if fault is full:
            folder = stack.enter_context(small_disk())
            monkeypatch.setattr(tempfile, "tempdir", str(folder))
        server = stack.enter_context(running_postgresql())
        environment = environment_of(tmp_path, server.create_database())
        run(SITE, *command("enqueue", str(TASKS)), **environment)
        effects = tmp_path / "effects"
        log = tmp_path / "log"
        with running_workers(environment, log):
            wait_until(lambda: effects.read_bytes().count(b"\n") > 5, "no task ran")
            with fault(server):
                assert effects.read_bytes().count(b"\n") < TASKS
                time.sleep(FAULT_SECONDS)
            run(SITE, *command("check"), **environment)
        if fault is full:
            assert "DiskFull" in log.read_text(encoding="utf-8")
