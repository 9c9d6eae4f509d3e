"""Projects with an environment of their own, into which a recipe can install packages."""

import pytest

from tests.support.baking import Answers, Project
from tests.support.recipes import Install, Installed


@pytest.fixture
def install(project: Project) -> Install:
    """Return a function that generates a project, installs its packages and makes its database."""

    def make(answers: Answers, app: str = "") -> Installed:
        installed = Installed(project(answers))
        installed.sync()
        if app:
            installed.run("poe", "app", app)
        installed.run("python", "manage.py", "migrate", "--verbosity", "0")
        return installed

    return make
