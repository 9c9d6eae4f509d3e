"""A field on `User` and in the sign-up of a project, as docs/seams.md says.

The field is required in the form, so a test that sends the form without it would fail.
"""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.baking import ALL_ON, Project, run
from tests.support.readme import PACKAGE_DOCS, section
from tests.support.releases import change
from tests.support.suite import run_tests

pytestmark = [pytest.mark.tier("whole"), pytest.mark.feature("auth_app")]

MANAGE = (sys.executable, "manage.py")
INSIDE = Path(__file__).parent / "inside" / "company.py"
END = "env.stop_on_problems()"


def blocks() -> list[str]:
    """Return the blocks of code about the user: the model, the form and the setting."""
    text = section(PACKAGE_DOCS / "seams.md", "The user")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_field_on_the_user_and_in_the_sign_up(
    project: Project, mypy_cache: str
) -> None:
    folder = project(ALL_ON)
    model, form, setting = blocks()
    users = folder / "users"
    (users / "models.py").write_text(model, encoding="utf-8")
    (users / "forms.py").write_text(form, encoding="utf-8")
    change(folder, [("config/settings.py", END, f"{setting}\n{END}")])
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
    (users / "tests").mkdir()
    (users / "tests" / "__init__.py").touch()
    shutil.copyfile(INSIDE, users / "tests" / "test_company.py")
    # The whole suite: the project's own tests, the guard and the controls.
    report = run_tests(folder)
    assert "0 red" in report
    assert "0 not shown" in report
    assert "2 passed" in run_tests(folder, "users/tests")
