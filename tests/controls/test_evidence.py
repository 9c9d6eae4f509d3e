"""What a run writes for auditors: the outcome of each control, and what was tested."""

import platform
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.small_project import (
    COOKIES,
    OTHER_SITES,
    PAGES,
    SmallProject,
    copy_package,
)

WHOLE = pytest.mark.tier("whole")
MARK = '@pytest.mark.control("V3.3.1")'
OWN = "tests/test_planted.py::test_of_the_same_control"
PLANTED = """
import pytest

{mark}
def test_of_the_same_control() -> None:
    {body}
"""
FAILING = """
def test_has_a_property(record_property) -> None:
    record_property("ticket", "A-1")

def test_fails() -> None:
    assert 1 == 2
"""
SKIPPED = """
import pytest

pytest.importorskip("missing")

def test_of_a_missing_package() -> None:
    pass
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package, outside of every project."""
    folder = tmp_path_factory.mktemp("package")
    copy_package(folder)
    return folder


@pytest.fixture
def project(package: Path, tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path / "small-site", package)


def git(folder: Path, *words: str) -> str:
    """Run Git, and return its output."""
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    command = ("git", *identity, *words)
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@WHOLE
def test_evidence_says_what_was_tested_where_and_when(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_RUN_URL", "https://ci.example/runs/1")
    project.write(".gitignore", "__pycache__\n*.sqlite3\nreports\n.pytest_cache\n")
    git(project.folder, "init", "--quiet")
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "--quiet", "--message", "Start")
    evidence = project.run().evidence
    assert evidence["commit"] == git(project.folder, "rev-parse", "HEAD")
    assert evidence["ci_run"] == "https://ci.example/runs/1"
    age = datetime.now(UTC) - datetime.fromisoformat(evidence["time"])
    assert age < timedelta(minutes=5)
    versions = evidence["versions"]
    assert versions["python"] == platform.python_version()
    assert versions["database"] == f"SQLite {sqlite3.sqlite_version}"
    assert evidence["asvs"] == {"version": "5.0.0", "level": 1}
    assert (evidence["exit_status"], evidence["complete"]) == (0, True)
    project.write("manage.py", "")
    commit = project.run().evidence["commit"]
    assert commit == f"{evidence['commit']}-dirty"


@WHOLE
@pytest.mark.parametrize(
    ("mark", "body", "state", "processes"),
    [
        (MARK, "pass", "shown", "0"),
        (MARK, "pass", "shown", "2"),
        (MARK, "assert 1 == 2", "red", "0"),
        (MARK, "assert 1 == 2", "red", "2"),
        (f"@pytest.mark.skip\n{MARK}", "pass", "not shown", "2"),
        (MARK, "pytest.skip('later')", "not shown", "0"),
        (MARK, "pytest.importorskip('missing')", "shown", "0"),
        (f"@pytest.mark.xfail\n{MARK}", "assert 1 == 2", "red", "0"),
        ("@pytest.mark.skip", "pass", "shown", "0"),
    ],
)
def test_state_of_a_control_is_that_of_all_its_tests(
    mark: str, body: str, state: str, processes: str, project: SmallProject
) -> None:
    project.write("tests/test_planted.py", PLANTED.format(mark=mark, body=body))
    result = project.run("-n", processes)
    assert result.state("V3.3.1") == state, result.output
    assert result.status == (state != "shown")
    expected = "green" if state == "shown" else "red"
    assert result.evidence["result"] == expected


def test_any_failure_is_red_and_a_skipped_file_is_whole(project: SmallProject) -> None:
    project.write("tests/test_failing.py", FAILING)
    project.write("tests/test_skipped.py", SKIPPED)
    result = project.run()
    assert result.status == 1
    assert result.whole
    assert result.whole["result"] == "red"
    assert result.whole["failed"] == ["tests/test_failing.py::test_fails"]
    assert result.state("V3.3.1") == "shown"


@WHOLE
def test_named_file_of_the_package_has_the_ids_of_a_whole_run(
    package: Path, project: SmallProject
) -> None:
    folder = package / "secure_django"
    pages = f"{folder / 'guard' / 'test_table.py'}::test_pages"
    headers = str(folder / "controls" / "test_headers.py")
    result = project.run("-n", "2", "-c", "pyproject.toml", pages, headers)
    assert result.partial, result.output
    tests = [test for row in result.partial["controls"] for test in row["tests"]]
    expected = [PAGES, f"{COOKIES}[1]", f"{COOKIES}[2]", OTHER_SITES]
    assert sorted(tests) == sorted(expected)


@WHOLE
def test_file_that_cannot_be_read_makes_a_run_incomplete_and_red(
    project: SmallProject,
) -> None:
    project.write("tests/test_broken.py", "def test_")
    evidence = project.run("-n", "2").evidence
    assert not evidence["complete"]
    assert evidence["result"] == "red"
    assert evidence["failed"][-1] == "tests/test_broken.py"


@WHOLE
def test_unreachable_database_does_not_hide_the_result(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgres://nobody@127.0.0.1:9/none")
    assert project.run().evidence["versions"]["database"] == "PostgreSQL"
