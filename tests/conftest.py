"""Which tests run, and fixtures for most of them: a copy of the template, and projects of every combination."""

import os
import shutil
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest

from tests.support.baking import ROOT, Project, bake, copy_template, name

pytest_plugins = [
    "tests.support.live",
    "tests.support.browsing",
    "tests.support.services",
    "tests.support.postgresql",
]

# What the machine forbids, whatever is installed. Every other skip is an error where `.ci/run` installs the programs.
FORBIDDEN = (
    "containers do not run here",
    "no Debian can be made here",
    "npm cannot install",
    "only root",
    "this kernel has no",
    "this machine runs no 32-bit",
    "systemd does not start in namespaces here",
)


def pytest_configure(config: pytest.Config) -> None:
    """Leave out the slow tests, unless a path, a name or a marker chooses the tests."""
    chosen = config.option.markexpr or config.option.keyword
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen:
        config.option.markexpr = "not slow"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip for a missing program into a failure where every program should be: see `.ci/run`."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and "ALL_PROGRAMS" in os.environ:
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(FORBIDDEN):
            report.outcome, report.longrepr = "failed", f"skipped, although .ci/run installs every program: {reason}"
    return report


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clean copy of the template, which tests share and do not change."""
    return copy_template(tmp_path_factory.mktemp("template") / "secure-django")


@pytest.fixture(scope="session")
def pristine(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the generated project of a combination, which tests share and do not change."""

    @cache
    def generate(features: str, answers: tuple[tuple[str, object], ...]) -> Path:
        return bake(template, tmp_path_factory.mktemp(features.replace("+", "-")), **dict(answers))

    return lambda answers: generate(name(answers), tuple(answers.items()))


@pytest.fixture
def project(pristine: Project, tmp_path: Path) -> Project:
    """Return a copy of the project of a combination, for tests that write to it."""
    return lambda answers: shutil.copytree(pristine(answers), tmp_path / "my-secure-site")


@pytest.fixture(scope="session")
def mypy_cache() -> str:
    """Return the option for a cache that later runs find: to read Django's stubs takes most of mypy's time."""
    # Processes that write to one cache at the same time would wait for each other.
    return f"--cache-dir={ROOT / '.mypy_cache' / os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a home folder of its own, where cookiecutter keeps its files."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home")}
