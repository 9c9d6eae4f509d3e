"""Workers lose and repeat nothing, whenever they die, and need little memory."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.baking import ROOT, production, run
from tests.support.inplace import SITE
from tests.support.uploads import CAN_MEASURE

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(
        sys.platform == "win32", reason="the processes here need fork and signals"
    ),
]

PROCESSES = str(Path(__file__).with_name("processes.py"))


@pytest.mark.parametrize(
    ("task", "database"),
    [
        ("kill-between-statements", "sqlite"),
        ("kill-during-calls", "sqlite"),
        ("run-four-workers", "sqlite"),
        ("run-four-workers", "postgresql"),
        ("measure-memory", "sqlite"),
    ],
)
def test_workers_lose_and_repeat_nothing(
    task: str, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Workers die at any step, run in parallel, upload 10 MiB in 40 MiB of memory."""
    if task == "measure-memory" and not CAN_MEASURE:
        pytest.skip("only Linux reports the peak memory of a process")
    environment = production(SITE) | {
        "DATABASE_URL": f"sqlite:///{(tmp_path / 'production.sqlite3').as_posix()}",
        "MEDIA_ROOT": str(tmp_path / "media"),
        "UPLOADS_PER_HOUR": "1000000",
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, SITE))),
    }
    if database == "postgresql":
        environment["DATABASE_URL"] = request.getfixturevalue(database)()
    command = [sys.executable, "-W", "ignore", PROCESSES, task]
    print(run(SITE, *command, **environment))  # noqa: T201
