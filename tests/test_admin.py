"""Staff attack the admin of a project with every feature, and review many photos."""

import shutil
import sys

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, ROOT, Project, run
from tests.support.postgresql import Database

pytestmark = pytest.mark.tier("whole")


def test_staff_get_neither_sessions_nor_rights(project: Project) -> None:
    folder = project(ALL_ON)
    shutil.copy(
        ROOT / "tests" / "inside" / "staff_attacks.py",
        folder / "core" / "tests" / "test_staff_attacks.py",
    )
    run(
        folder,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "core/tests/test_staff_attacks.py",
    )


def test_account_may_change_during_a_log_in(project: Project) -> None:
    folder = project(ALL_ON)
    test = folder / "accounts" / "tests" / "test_account_changes.py"
    shutil.copy(ROOT / "tests" / "inside" / "account_changes.py", test)
    run(
        folder,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(test),
    )


def test_review_reads_no_whole_table(project: Project, postgresql: Database) -> None:
    folder = project(ALL_OFF)
    shutil.copy(
        ROOT / "tests" / "inside" / "review_plans.py",
        folder / "uploads" / "tests" / "test_review_plans.py",
    )
    arguments = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "uploads/tests/test_review_plans.py",
    ]
    run(folder, sys.executable, *arguments, TEST_DATABASE_URL=postgresql())
