"""Run the package's own tests on the settings of a project.

Neither a wheel nor vendor/ has these tests, so they come from a clone of the template's
repository. The arguments are pytest's: `poe engines -k log_in`.
"""

import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.conf import settings

from secure_django.commands.programs import NotRun, check_project, run
from secure_django.commands.template_update import read_record

# The folders of tests that need an app: without it, the project has nothing to test.
APPS = {
    "accounts": "secure_django.accounts",
    "photos/cloudinary": "secure_django.photos.cloudinary",
}
# What says nothing about the settings of a project, or needs more than a project has.
LEFT_OUT = {
    "commands": "tools of developers, which no setting changes",
    "conf": "the values of the test site",
    "controls": "the controls of the test site; poe test shows the project's",
    "photos/cloudinary/test_processes.py": "a site that the tests start",
    "photos/decoder_fuzz.py": "packages that only the repository has",
    "photos/test_answers.py": "packages that only the repository has",
    "photos/test_decoder.py": "packages that only the repository has",
    "production": "machines, which the template's tests start",
    "recipes": "projects that the template's tests generate",
    "scans": "tools of developers, which no setting changes",
    "support": "for the tests that are left out here",
    "template": "projects that the template's tests generate",
    "test_fetch_attacks.py": "packages that only the repository has",
    "test_postgresql.py": "a PostgreSQL that the repository's tests start",
}
# The example app comes with the tests, and has photos.
SETTINGS = """\
import runpy

globals().update(runpy.run_path({path!r}))
INSTALLED_APPS = [*INSTALLED_APPS, "example"]
GUARD_PACKAGES = ["secure_django"]
"""
CONFIGURATION = """\
[pytest]
markers =
    control(id): the control that the test demonstrates
    feature(name): what a test is about
    tier(name, *paths): when a test runs
"""


def main(*arguments: str) -> int:
    """Return pytest's exit code, or end with the reason why nothing ran."""
    check_project()
    record = read_record()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        clone = Path(temporary).resolve() / "secure-django"
        try:
            run("git", "clone", "--quiet", "--", record["template"], str(clone))
            commit = choose_commit(record["commit"])
            run("git", "-C", str(clone), "checkout", "--quiet", "--detach", commit)
        except NotRun as reason:
            sys.exit(f"git failed: {reason}")
        prepare_clone(clone, Path.cwd())
        return run_tests(clone, Path.cwd(), *arguments)


def choose_commit(recorded: str) -> str:
    """Return the commit of the template that has the installed package.

    A package in vendor/ came with the recorded one; one from an index is a release.
    """
    version = importlib.metadata.version("secure-django")
    return recorded if "+" in version else f"v{version}"


def prepare_clone(clone: Path, project: Path) -> None:
    """Put the project in the place of the test site."""
    tests = clone / "tests"
    site = tests / "site"
    (tests / "conftest.py").unlink()  # it belongs to the tests of the template
    for path in [*site.glob("*.py"), *site.glob("config/*"), *site.glob("users/*.py")]:
        path.unlink()
    own_settings = str(project / "tests" / "settings.py")
    module = site / "engines_settings.py"
    module.write_text(SETTINGS.format(path=own_settings), encoding="utf-8")
    (clone / "pytest.ini").write_text(CONFIGURATION, encoding="utf-8")


def run_tests(clone: Path, project: Path, *arguments: str) -> int:
    """Run pytest in the clone, and return its exit code."""
    paths = [clone / "tests" / "site", project]
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "engines_settings",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    parallel = ("-n", "auto", "--dist", "worksteal")
    command = [sys.executable, "-m", "pytest", "tests", *parallel, *arguments]
    command += [f"--ignore=tests/{name}" for name in list_ignored()]
    return subprocess.run(  # noqa: S603 - no shell
        command, cwd=clone, env=environment, check=False
    ).returncode


def list_ignored() -> list[str]:
    """Return the folders of tests that this project leaves out."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    missing = [name for name, app in APPS.items() if app not in settings.INSTALLED_APPS]
    return [*LEFT_OUT, *missing]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
