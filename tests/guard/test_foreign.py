"""The guard in a Django project that has no app of this package: the folder foreign."""

import re
import shutil
from pathlib import Path

import pytest

from tests.guard.running import edit, run_guard

FOREIGN = Path(__file__).with_name("foreign")
WHOLE = pytest.mark.tier("whole")
# A user without a name, whose email is how they log in, in an app without migrations.
BY_EMAIL = """
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class Member(AbstractBaseUser):
    address = models.EmailField(unique=True)
    birthday = models.DateField()
    EMAIL_FIELD = USERNAME_FIELD = "address"
    REQUIRED_FIELDS = ["birthday"]
    objects = BaseUserManager()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(FOREIGN, tmp_path / "foreign")


def findings_in(report: str) -> set[str]:
    return set(re.findall(r"^(?:[A-Z]+ )?/notes/.+\(.+\)$", report, re.MULTILINE))


def ask_for_own(project: Path) -> None:
    """Let the views search among the notes of the user."""
    edit(
        project / "notes" / "views.py",
        "(Note, pk=pk)",
        "(Note, pk=pk, author=request.user)",
    )


HOLES = {
    "/notes/<pk>/ answers 200, not 404 (other)",
    "/notes/<pk>/ answers 200, not 404 (staff)",
    "/notes/<pk>/ shows Note.text (other)",
    "/notes/<pk>/ shows Note.text (staff)",
    "/notes/<pk>/ shows Note.title (other)",
    "/notes/<pk>/ shows Note.title (staff)",
    "/notes/<pk>/delete/ answers away, not 404 (other)",
    "/notes/<pk>/delete/ answers away, not 404 (staff)",
    "GET /notes/<pk>/ shows Note.text (other)",
    "GET /notes/<pk>/ shows Note.text (staff)",
    "GET /notes/<pk>/ shows Note.title (other)",
    "GET /notes/<pk>/ shows Note.title (staff)",
    "POST /notes/<pk>/delete/ answers away, not 404 (other)",
    "POST /notes/<pk>/delete/ answers away, not 404 (staff)",
    "POST /notes/<pk>/delete/ changes Note of the owner (other)",
    "POST /notes/<pk>/delete/ changes Note of the owner (staff)",
}


def test_every_hole_is_named() -> None:
    # In place: it writes no file.
    assert findings_in(run_guard(FOREIGN)) == HOLES


@WHOLE
def test_repaired_project_is_green(project: Path) -> None:
    ask_for_own(project)
    report = run_guard(project)
    assert " passed" in report
    assert " failed" not in report


@WHOLE
def test_user_may_have_an_email_alone(project: Path) -> None:
    users = project / "members"
    users.mkdir()
    (users / "__init__.py").touch()
    (users / "models.py").write_text(BY_EMAIL, encoding="utf-8")
    settings = project / "foreign_settings.py"
    edit(settings, '    "django.contrib.admin",\n', '    "members",\n')
    edit(settings, "USE_TZ", 'AUTH_USER_MODEL = "members.Member"\nUSE_TZ')
    edit(project / "foreign_urls.py", '    path("admin/", admin.site.urls),\n', "")
    # Such a user has no is_staff, so the table has no column for staff.
    table = project / "notes" / "tests" / "table.py"
    edit(table, "  200\n", "\n")
    edit(table, "  404\n", "\n")
    report = run_guard(project)
    assert "POST /notes/<pk>/delete/ changes Note of the owner (other)" in report
    assert "staff" not in report


@WHOLE
def test_rule_is_asked_for_by_its_name(project: Path) -> None:
    ask_for_own(project)
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('rules = ["caches", "methods"]\n')
    edit(
        project / "notes" / "views.py",
        "@require_GET\n@login_required\ndef index",
        "@login_required\ndef index",
    )
    report = run_guard(project)
    assert "pages without Cache-Control may be kept in a cache" in report
    assert "/notes/: put @require_http_methods before the view" in report


@WHOLE
@pytest.mark.parametrize(
    "line", ['rules = ["cashes"]', 'include = ["all"]', "app = []"]
)
def test_unknown_word_is_refused(line: str, project: Path) -> None:
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    word = re.findall(r"\w+", line)[-1]
    expected = f"pyproject.toml: [tool.secure-django.guard] has no {word}."
    assert expected in run_guard(project)


@WHOLE
def test_project_that_asks_for_no_guard_gets_none(project: Path) -> None:
    edit(project / "pyproject.toml", "[tool.secure-django.guard]\n", "")
    assert "no tests ran" in run_guard(project)


@WHOLE
def test_app_without_a_table_is_named(project: Path) -> None:
    shutil.rmtree(project / "notes" / "tests")
    report = run_guard(project)
    assert "notes has no table" in report
    # With the rows to paste.
    assert "/notes/<pk>/delete/" in report


@WHOLE
def test_table_needs_no_objects(project: Path) -> None:
    table = project / "notes" / "tests" / "table.py"
    edit(table, "def objects(", "def no_objects(")
    assert findings_in(run_guard(project)) == HOLES
