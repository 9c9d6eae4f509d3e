"""`.ci/run` runs both tiers, names flaky tests, and fails where a program is missing."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.baking import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere .ci/run installs nothing"),
]

FLAKY = """
from pathlib import Path

import pytest


def test_is_late_once() -> None:
    state = Path("state")
    late = not state.exists()
    state.touch()
    assert not late


@pytest.mark.slow
def test_containers() -> None:
    pytest.skip("containers do not run here: no network")
"""
RED = """
import pytest


def test_fails() -> None:
    raise AssertionError


def test_passes() -> None:
    pass


@pytest.mark.slow
@pytest.mark.skipif(True, reason="nginx is not installed")
def test_nginx() -> None:
    pass
"""


def plant(template: Path, folder: Path, tests: str) -> Path:
    """Return a copy of the template that has only these tests."""
    checkout = shutil.copytree(template, folder / "checkout")
    for path in (checkout / "tests").rglob("test_*.py"):
        path.unlink()
    (checkout / "tests" / "test_planted.py").write_text(tests, encoding="utf-8")
    return checkout


def run_planted(template: Path, folder: Path, tests: str) -> str:
    """Let `.ci/run` run these tests, on a machine with every program; return the outcome and the summary on GitHub."""
    checkout = plant(template, folder, tests)
    programs = folder / "bin"
    programs.mkdir()
    for name, text in {"uv": 'shift\nexec "$@"', "apt-get": "true"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    summary = folder / "summary.md"
    summary.touch()
    search = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    try:
        run(checkout, ".ci/run", PATH=search, GITHUB_STEP_SUMMARY=str(summary), PYTEST_ADDOPTS="-n0")
    except AssertionError as error:
        assert "ended with 1:" in str(error)  # noqa: PT017
        return f"red\n{summary.read_text(encoding='utf-8')}"
    return f"green\n{summary.read_text(encoding='utf-8')}"


def test_flaky_test_is_green_and_named(template: Path, tmp_path: Path) -> None:
    name = "tests/test_planted.py::test_is_late_once"
    assert run_planted(template, tmp_path, FLAKY) == f"green\n- flaky, passed when repeated: `{name}`\n"


def test_missing_program_and_failed_test_are_red(template: Path, tmp_path: Path) -> None:
    names = ["tests/test_planted.py::test_fails", "tests/test_planted.py::test_nginx"]
    assert run_planted(template, tmp_path, RED).splitlines() == ["red", *(f"- failed twice: `{it}`" for it in names)]


@pytest.mark.parametrize(("chosen", "slow"), [("", False), ("tests/test_planted.py", True), ("-knginx", True)])
def test_slow_tests_are_left_out_unless_they_are_named(chosen: str, slow: bool, template: Path, tmp_path: Path) -> None:  # noqa: FBT001
    checkout = plant(template, tmp_path, RED)
    listed = run(checkout, "pytest", "-n0", "-q", "--collect-only", *filter(None, [chosen]))
    assert ("test_nginx" in listed) == slow
