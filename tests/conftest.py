"""What most tests start from: the template, and a project for every combination of its features."""

import shutil
from functools import cache
from pathlib import Path

import pytest

from tests.baking import Project, bake, copy_template, name

pytest_plugins = ["tests.live", "tests.browsing", "tests.postgresql"]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clean copy of the template; nobody changes it."""
    return copy_template(tmp_path_factory.mktemp("template") / "secure-django")


@pytest.fixture(scope="session")
def pristine(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the project of a combination as it was generated; nobody changes it."""

    @cache
    def generate(features: str, answers: tuple[tuple[str, object], ...]) -> Path:
        return bake(template, tmp_path_factory.mktemp(features.replace("+", "-")), **dict(answers))

    return lambda answers: generate(name(answers), tuple(answers.items()))


@pytest.fixture
def project(pristine: Project, tmp_path: Path) -> Project:
    """Return a copy of the project of a combination, for tools that leave something behind."""
    return lambda answers: shutil.copytree(pristine(answers), tmp_path / "my-secure-site")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a home folder of its own, for commands that leave answers there."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home")}
