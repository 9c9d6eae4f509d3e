"""The guard in a Django project that has no app of this package: the folder foreign."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOREIGN = Path(__file__).with_name("foreign")
WHOLE = pytest.mark.tier("whole")
LEFT_OUT = ("DJANGO_", "PYTEST_", "GITHUB_")
TEMPORARY_FOLDERS = "PYTEST_DEBUG_TEMPROOT"
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


def run_guard(project: Path, *options: str, **variables: str) -> str:
    """Return what pytest prints, with lines of any length."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name == TEMPORARY_FOLDERS or not name.startswith(LEFT_OUT)
    }
    command = ["pytest", "-n0", "-p", "no:cacheprovider", "--color=no", *options]
    process = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env=environment | {"COLUMNS": "300"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout + process.stderr


def findings_in(report: str) -> set[str]:
    return set(re.findall(r"^(?:[A-Z]+ )?/notes/.+\(.+\)$", report, re.MULTILINE))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def ask_for_own(project: Path) -> None:
    """Let the views search among the notes of the user."""
    edit(
        project / "notes" / "views.py",
        "(Note, pk=pk)",
        "(Note, pk=pk, author=request.user)",
    )


def test_every_hole_is_named() -> None:
    # In place: it writes no file.
    report = run_guard(FOREIGN)
    assert findings_in(report) == {
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
    assert "/notes/ may be kept in a cache for others" in report
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


# Views that change any note, unless another value of the request stops them before.
FIELD_ERROR = """

@require_POST
@login_required
def move(request):
    for name in request.POST.getlist("order"):
        list(Note.objects.order_by(name))
    Note.objects.filter(pk=request.POST["pk"]).update(title=request.POST["title"])
    return redirect("/notes/")
"""
CAUGHT_EXCEPTION = """

@require_POST
@login_required
def move(request):
    try:
        text = {"bold": "**"}[request.POST.get("weight", "bold")]
        Note.objects.filter(pk=request.POST["pk"]).update(text=text)
    except Exception:
        return redirect("/notes/?sorry")
    return redirect("/notes/")
"""


@WHOLE
@pytest.mark.parametrize("view", [FIELD_ERROR, CAUGHT_EXCEPTION])
def test_first_error_hides_nothing(view: str, project: Path) -> None:
    ask_for_own(project)
    notes = project / "notes"
    with (notes / "views.py").open("a", encoding="utf-8") as file:
        file.write(view)
    edit(
        notes / "urls.py",
        "urlpatterns = [",
        'urlpatterns = [path("move/", views.move),',
    )
    row = "/notes/move/  log-in away away away\n/notes/<pk>/delete/"
    edit(notes / "tests" / "table.py", "/notes/<pk>/delete/", row)
    found = findings_in(run_guard(project))
    assert "POST /notes/move/ changes Note of the owner (other)" in found


@WHOLE
def test_app_without_a_table_is_named(project: Path) -> None:
    shutil.rmtree(project / "notes" / "tests")
    report = run_guard(project)
    assert "notes has no table" in report
    # With the rows to paste.
    assert "/notes/<pk>/delete/" in report


@WHOLE
def test_table_without_objects_is_named(project: Path) -> None:
    table = project / "notes" / "tests" / "table.py"
    edit(table, "def objects(", "def no_objects(")
    report = run_guard(project)
    assert "objects() of notes makes no Note" in report
    assert "objects() of notes returns no pk for /notes/<pk>/" in report
