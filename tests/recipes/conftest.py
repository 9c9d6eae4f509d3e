"""Projects with their own environment, into which a recipe can install packages."""

import pytest

from tests.support.baking import Answers, Project
from tests.support.recipes import Install, Installed


@pytest.fixture
def install(project: Project) -> Install:
    """Return a function that generates a project and makes its environment.

    The project's packages are installed, and its database is made.
    """

    def make(answers: Answers, *apps: str) -> Installed:
        installed = Installed(project(answers))
        installed.sync()
        for app in apps:
            installed.run("poe", "app", app, "--admin")
        installed.run("python", "manage.py", "migrate", "--verbosity", "0")
        return installed

    return make
