"""A small project, and a copy of the package with a suite of few tests."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.baking import TEMPORARY_FOLDERS

ROOT = Path(__file__).parents[2]
PYPROJECT = """\
[project]
name = "small-site"

[tool.pytest]
addopts = [{addopts}]
DJANGO_SETTINGS_MODULE = "tests.settings"
{options}

[tool.secure-django]
version = "1.0.0"
deployment = "{deployment}"

[tool.secure-django.left-out]
{left_out}
"""
OWN_TEST = """\
def test_own() -> None:
    pass
"""
GUARD = """\
import pytest


@pytest.mark.control("V8.2.1")
def test_pages() -> None:
    pass
"""
CONTROLS = """\
import pytest


@pytest.mark.control("V3.3.1")
@pytest.mark.parametrize("number", [1, 2])
def test_cookies(number: int) -> None:
    assert number


@pytest.mark.control("V3.3.2")
def test_of_other_sites() -> None:
    pass
"""
NGINX = """\
import pytest
from django.conf import settings


@pytest.mark.control("V12.1.1")
def test_tls() -> None:
    assert (settings.BASE_DIR / "deploy" / "site.conf").read_text()
"""
LIST = """\
| V3.3.1 | 1 | A02 | cookies are sent by HTTPS alone | shown |
| V3.3.2 | 2 | A01 | cookies are not sent with requests of other sites | shown |
| V4.4.1 | 1 | A04 | WebSockets use TLS | not applicable: there are none |
| V6.2.8 | 1 | A07 | the whole password is compared | shown |
| V8.2.1 | 1 | A01 | functions need a permission | shown |
| V12.1.1 | 1 | A04 | TLS 1.2 or 1.3 | shown |
"""
PAGES = "secure_django/guard/test_table.py::test_pages"
COOKIES = "secure_django/controls/test_headers.py::test_cookies"
OTHER_SITES = "secure_django/controls/test_headers.py::test_of_other_sites"
TLS = "secure_django/controls/test_nginx.py::test_tls"
RELEASE_TEST = "tests/login/test_passwords.py::test_last_character"
RELEASE = {
    "version": "1.0.0",
    "suite": [PAGES, COOKIES, OTHER_SITES, TLS],
    "controls": {
        "V3.3.1": [COOKIES],
        "V3.3.2": [OTHER_SITES],
        "V6.2.8": [RELEASE_TEST],
        "V8.2.1": [PAGES],
        "V12.1.1": [TLS],
    },
}


class Result(NamedTuple):
    """The result of a run."""

    status: int
    output: str
    whole: dict[str, Any] | None  # the evidence of a whole run
    partial: dict[str, Any] | None

    @property
    def evidence(self) -> dict[str, Any]:
        """Return the one that was written."""
        (evidence,) = filter(None, (self.whole, self.partial))
        return evidence

    def state(self, control: str) -> str:
        """Return the state of a control in the evidence."""
        states = {row["id"]: row["state"] for row in self.evidence["controls"]}
        return str(states[control])


def copy_package(folder: Path) -> None:
    """Copy the package to a folder, with a suite and a list of few tests.

    Its compiled modules are copied too: runs would take twice as long to compile them.
    """
    package = folder / "secure_django"
    ignored = shutil.ignore_patterns("test_*")
    shutil.copytree(ROOT / "src" / "secure_django", package, ignore=ignored)
    # The command of this name is no test.
    command = Path("commands", "test.py")
    shutil.copyfile(ROOT / "src" / "secure_django" / command, package / command)
    for name, text in {
        "guard/test_table.py": GUARD,
        "controls/test_headers.py": CONTROLS,
        "controls/test_nginx.py": NGINX,
        "controls/release.json": json.dumps(RELEASE),
        "docs/controls.md": LIST,
    }.items():
        (package / name).write_text(text, encoding="utf-8")


class SmallProject:
    """The site of the package's tests, as a project with settings of its own."""

    def __init__(self, folder: Path, package: Path) -> None:
        """Copy the site to a folder. `package` has the package to test it with."""
        self.folder = folder
        self.package = package
        ignored = shutil.ignore_patterns("__pycache__", "example", "site_settings.py")
        shutil.copytree(ROOT / "tests" / "site", folder, ignore=ignored)
        settings = (ROOT / "tests" / "site" / "site_settings.py").read_text("utf-8")
        lines = [
            line for line in settings.splitlines() if "example" not in line and line
        ]
        text = "\n".join(lines).replace("__file__).parent", "__file__).parents[1]")
        self.write("tests/__init__.py", "")
        self.write("tests/settings.py", text)
        self.write("tests/test_own.py", OWN_TEST)
        self.configure()

    def write(self, name: str, text: str) -> None:
        """Write a file, and make its folder."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def configure(
        self,
        *addopts: str,
        options: str = "",
        left_out: str = "",
        deployment: str = "platform",
    ) -> None:
        """Write pyproject.toml with options of pytest and answers."""
        words = ", ".join(map(json.dumps, addopts))
        text = PYPROJECT.format(
            addopts=words, options=options, left_out=left_out, deployment=deployment
        )
        self.write("pyproject.toml", text)

    def run(self, *arguments: str, module: str = "pytest") -> Result:
        """Run the tests in one process, if the arguments do not say otherwise."""
        shutil.rmtree(self.folder / "reports", ignore_errors=True)
        words = arguments if "-n" in arguments else ("-n", "0", *arguments)
        variables = {name: text for name, text in os.environ.items() if is_kept(name)}
        process = subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=self.folder,
            env=variables | {"PYTHONPATH": str(self.package)},
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(
            process.returncode,
            process.stdout + process.stderr,
            self.read("controls.json"),
            self.read("controls-partial.json"),
        )

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the evidence in a file, if the run has written it."""
        file = self.folder / "reports" / name
        if not file.exists():
            return None
        evidence: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return evidence


def is_kept(variable: str) -> bool:
    """Return whether a variable is not of the present run of pytest or Django."""
    prefixes = ("PYTEST_", "DJANGO_", "GITHUB_")
    return variable == TEMPORARY_FOLDERS or not variable.startswith(prefixes)
