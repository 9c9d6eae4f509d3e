"""The code of docs/seams.md in a project: types, style, and all tests of the project.

The field of the user is required in the form, so a test that sends the form without it
would fail.
"""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.baking import ALL_ON, Project, run
from tests.support.readme import PACKAGE_DOCS
from tests.support.releases import change
from tests.support.suite import run_tests

pytestmark = [pytest.mark.tier("whole"), pytest.mark.feature("auth_app")]

MANAGE = (sys.executable, "manage.py")
INSIDE = Path(__file__).parent / "inside" / "seams.py"
END = "env.stop_on_problems()"
SETTINGS = "config/settings.py"
BLOCK = re.compile(r"^```python\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    """Return the blocks of Python, each with the path of its file."""
    text = (PACKAGE_DOCS / "seams.md").read_text(encoding="utf-8")
    found = BLOCK.findall(text)
    assert len(found) == text.count("```python\n"), "Each block begins with its path."
    return found


def test_project_takes_the_code_of_every_seam(
    project: Project, mypy_cache: str
) -> None:
    folder = project(ALL_ON)
    for path, code in blocks():
        if path == SETTINGS:
            change(folder, [(SETTINGS, END, f"{code}\n{END}")])
        else:
            (folder / path).write_text(code, encoding="utf-8")
    run(folder, *MANAGE, "makemigrations", "users", "--name", "company")
    run(folder, sys.executable, "-m", "secure_django.conf.lock")
    for command in (
        ("ruff", "check"),
        ("ruff", "format", "--check"),
        ("lint-imports", "--no-logo", "--no-cache"),
        ("mypy", ".", mypy_cache),
        (*MANAGE, "makemigrations", "--check", "--dry-run"),
        (*MANAGE, "check", "--fail-level", "WARNING"),
    ):
        run(folder, *command)
    tests = folder / "users" / "tests"
    tests.mkdir()
    (tests / "__init__.py").touch()
    shutil.copyfile(INSIDE, tests / "test_seams.py")
    # The whole suite: the project's own tests, the guard and the controls.
    report = run_tests(folder, "-rp")
    assert "0 red" in report
    assert "0 not shown" in report
    assert report.count("PASSED users/tests/test_seams.py::") == 5
