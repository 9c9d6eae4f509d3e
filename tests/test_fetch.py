"""Attacks on core/fetch.py and core/csv.py of a generated project."""

import shutil
import sys

import pytest

from tests.support.baking import ALL_OFF, ROOT, Project, run

pytestmark = pytest.mark.tier("whole")


def test_urls_servers_and_cells_that_mean_harm(project: Project) -> None:
    folder = project(ALL_OFF)
    shutil.copy(
        ROOT / "tests" / "inside" / "fetch_attacks.py",
        folder / "core" / "tests" / "test_fetch_attacks.py",
    )
    run(
        folder,
        *(sys.executable, "-m", "pytest", "-q", "--no-header"),
        *("-p", "no:cacheprovider", "core/tests/test_fetch_attacks.py"),
    )
