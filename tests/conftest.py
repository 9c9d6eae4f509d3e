"""Fixtures for most tests: a copy of the template, and projects of every combination of features."""

import shutil
from functools import cache
from pathlib import Path

import pytest

from tests.support.baking import Project, bake, copy_template, name

pytest_plugins = [
    "tests.support.live",
    "tests.support.browsing",
    "tests.support.postgresql",
    "tests.support.services",
]


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


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a home folder of its own, where cookiecutter keeps its files."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home")}
