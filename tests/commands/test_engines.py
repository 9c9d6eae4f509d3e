"""The package's own tests, run on the settings of a project."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from secure_django.commands.engines import APPS, LEFT_OUT, choose_commit

TESTS = Path(__file__).parents[1]
SITE = TESTS / "site"
SETTINGS = """
from pathlib import Path

from secure_django.conf.testing import adapt, prepare

prepare(Path(__file__).parents[1])

from config.settings import *

adapt(globals())
SITE_NAME = "Another"
INSTALLED_APPS.remove("secure_django.accounts")
"""
ABOUT_SETTINGS = """
from django.apps import apps
from django.conf import settings

def test_settings_are_the_projects():
    assert settings.SITE_NAME == "Another"
    assert apps.is_installed("example")

def test_fails_by_a_setting():
    assert settings.SITE_NAME == "The test site"
"""
MODULE = "tests/web/test_settings.py"
FAILS = "def test_is_left_out():\n    raise AssertionError\n"
# What the tests of the repository use beside the packages of a project.
REPOSITORY = re.compile(
    r"^(?:from|import) "
    r"(?:tests\.support|cookiecutter|cruft|flask|moto|playwright|trustme)\b",
    re.MULTILINE,
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with tests of the package, of which one fails."""
    folder = tmp_path / "repository"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SITE, folder / "tests" / "site", ignore=ignored)
    files = {
        "conftest.py": "raise AssertionError",
        "__init__.py": "",
        "web/__init__.py": "",
        "web/test_settings.py": ABOUT_SETTINGS,
        "accounts/__init__.py": "",
        "accounts/test_signup.py": FAILS,
        "template/__init__.py": "",
        "template/test_generation.py": FAILS,
    }
    for name, text in files.items():
        file = folder / "tests" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@localhost")
    subprocess.run([*git, "init", "--quiet"], cwd=folder, check=True)
    subprocess.run([*git, "add", "--all"], cwd=folder, check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "a"], cwd=folder, check=True)
    subprocess.run([*git, "tag", "v1.0.0"], cwd=folder, check=True)
    return folder


@pytest.fixture
def project(tmp_path: Path, repository: Path) -> Path:
    """Return a project without accounts that came from the repository."""
    folder = shutil.copytree(SITE, tmp_path / "my-secure-site")
    (folder / "tests").mkdir()
    (folder / "tests" / "settings.py").write_text(SETTINGS, encoding="utf-8")
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    record = {"template": str(repository), "commit": "v1.0.0"}
    (folder / ".cruft.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def leave_out(project: Path, test: str, reason: str) -> None:
    text = f'[tool.secure-django.engines-left-out]\n"{test}" = "{reason}"\n'
    (project / "pyproject.toml").write_text(text, encoding="utf-8")


def run_engines(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": ""}
    return subprocess.run(
        [sys.executable, "-m", "secure_django.commands.engines", *arguments],
        cwd=project,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.tier("whole")
def test_engines_are_tested_on_the_settings_of_the_project(project: Path) -> None:
    process = run_engines(project, "-n", "0")
    assert "1 failed, 1 passed" in process.stdout, process.stdout + process.stderr
    assert "FAILED tests/web/test_settings.py::test_fails_by_a_setting" in (
        process.stdout
    )
    assert process.returncode == 1


@pytest.mark.tier("whole")
def test_team_leaves_out_a_test_with_its_reason(project: Path) -> None:
    leave_out(project, f"{MODULE}::test_fails_by_a_setting", "We have another name.")
    process = run_engines(project, "-n", "0")
    assert "1 passed, 1 deselected" in process.stdout, process.stdout + process.stderr
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("test", "reason", "message"),
    [
        (f"{MODULE}::test_fails_by_a_setting", " ", "is left out without a reason"),
        (f"{MODULE}::test_fails", "It fails.", "but there is no such test"),
        ("tests/web/test_gone.py::test_a", "It fails.", "but there is no such test"),
    ],
)
def test_what_is_left_out_needs_a_test_and_a_reason(
    test: str, reason: str, message: str, project: Path
) -> None:
    leave_out(project, test, reason)
    process = run_engines(project)
    assert process.returncode == 1
    assert process.stderr.startswith(f"{test} is left out")
    assert message in process.stderr


def test_project_without_a_record_is_told_so(project: Path) -> None:
    (project / ".cruft.json").unlink()
    process = run_engines(project)
    assert process.returncode == 1
    assert process.stderr.startswith(".cruft.json is missing or damaged: ")


@pytest.mark.parametrize(
    ("version", "commit"), [("1.0.0+vendored", "1a2b3c"), ("1.2.3", "v1.2.3")]
)
def test_tests_are_those_of_the_installed_package(
    version: str, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: version)
    assert choose_commit("1a2b3c") == commit


def test_what_is_left_out_exists() -> None:
    assert [name for name in (*LEFT_OUT, *APPS) if not (TESTS / name).exists()] == []


def test_other_tests_need_only_what_a_project_has() -> None:
    """In a project, the import of such a module would fail."""
    modules = [
        path
        for path in TESTS.rglob("*.py")
        if not any(path.is_relative_to(TESTS / name) for name in (*LEFT_OUT, "site"))
        and path != TESTS / "conftest.py"
    ]
    assert len(modules) > 30
    needing = [
        path.relative_to(TESTS).as_posix()
        for path in modules
        if REPOSITORY.search(path.read_text(encoding="utf-8"))
    ]
    assert needing == [], "name it in LEFT_OUT of secure_django/commands/engines.py"
