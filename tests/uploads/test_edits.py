"""Edits of one object at the same moment, and beside its deletion, on PostgreSQL."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, Project, run
from tests.support.postgresql import Database

pytestmark = pytest.mark.tier("whole")

EDITS = Path(__file__).parent / "inside" / "edits.py"


def test_edits_lose_leave_and_bring_back_nothing(
    project: Project, postgresql: Database
) -> None:
    folder = project(ALL_OFF)
    copy = folder / "uploads" / "tests" / "test_edits.py"
    shutil.copy(EDITS, copy)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(copy),
    ]
    report = run(folder, *command, TEST_DATABASE_URL=postgresql())
    assert " passed" in report
