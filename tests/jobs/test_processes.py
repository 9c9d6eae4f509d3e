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

from tests.support.baking import ROOT, production, run
from tests.support.inplace import SITE
from tests.support.live import HANG_SECONDS
from tests.support.postgresql import PostgreSQL, frozen, running_postgresql
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
