"""What a project says about itself, and which of the package's tests are about it."""

import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from django.apps import apps

PACKAGE = Path(__file__).parents[1]
# The folders with tests that run in each project.
SUITES = ("guard", "controls")


class Deployment(NamedTuple):
    """A file or a folder of a project, and the deployments that come with it."""

    path: str
    deployments: set[str]


DEPLOY = Deployment("deploy", {"server"})
NGINX = Deployment("nginx", {"platform"})
IMAGE = Deployment("Dockerfile", {"server", "platform"})
# What some tests are about. The others are about every project.
DEPLOYMENTS = {
    "secure_django/controls/test_deployment.py": DEPLOY,
    "secure_django/controls/test_image.py": IMAGE,
    "secure_django/controls/test_nginx.py": DEPLOY,
    "secure_django/controls/test_proxy_image.py": NGINX,
    "tests/commands/test_backup.py": DEPLOY,
}
ROOMS = {
    "secure_django/controls/test_deletion.py": "secure_django.accounts",
    "tests/accounts/": "secure_django.accounts",
    "tests/photos/cloudinary/": "secure_django.photos.cloudinary",
}


class Project(NamedTuple):
    """The answers in pyproject.toml of a project."""

    root: Path
    name: str
    release: str | None  # of the template
    deployment: str | None
    left_out: dict[str, Any]  # the names of tests, with reasons
    exempt: dict[str, Any]  # code that tests of templates refuse, with reasons

    def has(self, deployment: Deployment) -> bool:
        """Return whether the project has, or says that it has, such files."""
        is_declared = self.deployment in deployment.deployments
        return is_declared or (self.root / deployment.path).exists()

    def missing(self, test: str) -> str:
        """Return what a test of the package is about and this project has not."""
        file = test.partition("::")[0]
        deployment = DEPLOYMENTS.get(file)
        if deployment and not self.has(deployment):
            return deployment.path
        for room, app in ROOMS.items():
            if file.startswith(room) and not apps.is_installed(app):
                return app
        return ""


def read_project(root: Path) -> Project:
    file = root / "pyproject.toml"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    metadata = tomllib.loads(text)
    answers = metadata.get("tool", {}).get("secure-django", {})
    return Project(
        root=root,
        name=metadata.get("project", {}).get("name", root.name),
        release=answers.get("version"),
        deployment=answers.get("deployment"),
        left_out=answers.get("left-out", {}),
        exempt=answers.get("exempt", {}),
    )


def name_of(path: Path) -> str | None:
    """Return the name of a file of the package, wherever it is installed."""
    if not path.is_relative_to(PACKAGE):
        return None
    return str(PurePosixPath("secure_django", *path.relative_to(PACKAGE).parts))


def suite_files(project: Project, suites: Iterable[str] = SUITES) -> list[Path]:
    """Return the files with tests of the package that are about a project."""
    files = [path for suite in suites for path in PACKAGE.glob(f"{suite}/test_*.py")]
    return [path for path in sorted(files) if not project.missing(str(name_of(path)))]
