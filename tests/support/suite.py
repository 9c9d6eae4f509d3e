"""Run tests in a generated project: its own, the guard and the controls."""

import sys
from pathlib import Path

from secure_django import controls, guard
from tests.support.baking import run

# The settings of pytest are the project's, although the guard is elsewhere.
PYTEST = (
    *(sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"),
    *("-c", "pyproject.toml"),
)
GUARD = sorted(map(str, Path(guard.__file__).parent.glob("test_*.py")))


def guard_files(*names: str) -> list[str]:
    return [file for file in GUARD if Path(file).stem.removeprefix("test_") in names]


READING = guard_files("lists", "reading", "switches")
WRITING = guard_files("writing")
ACCESS = [file for file in GUARD if file not in READING + WRITING]
CONTROLS = str(Path(controls.__file__).parent)


def run_tests(folder: Path, *tests: str, **environment: str) -> str:
    """Run tests in a project, by default all, and return the report."""
    return run(folder, *PYTEST, *tests, **environment)
