"""Run the package's own tests on the settings of a project.

Neither a wheel nor vendor/ has these tests, so they come from a clone of the template's
repository. The arguments are pytest's: `poe engines -k log_in`. A team that changes
what an engine does names the tests that this makes red, each with its reason:

    [tool.secure-django.engines-left-out]
    "tests/web/test_headers.py::test_csp_reports_are_limited" = "Our proxy does."
"""

import importlib.metadata
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from django.conf import settings

from secure_django.commands.programs import (
    SAFE_PROTOCOLS,
    NotRun,
    check_project,
    run,
)
from secure_django.commands.record import require_record

# The tests that need an app: without it, the project has nothing to test.
APPS = {
    "accounts": "secure_django.accounts",
    "photos/cloudinary": "secure_django.photos.cloudinary",
    "test_seams.py": "secure_django.accounts",
    "web/test_repeats.py": "secure_django.accounts",
}
# What says nothing about the settings of a project, or needs more than a project has.
LEFT_OUT = {
    "commands": "tools of developers, which no setting changes",
    "conf": "the values of the test site",
    "controls": "the controls of the test site; poe test shows the project's",
    "existing": "projects that the template's tests make",
    "guard/hurried": "projects that the template's tests generate",
    "jobs/test_processes.py": "workers and databases that the tests start",
    "photos/cloudinary/test_processes.py": "a site that the tests start",
    "photos/decoder_fuzz.py": "packages that only the repository has",
    "photos/test_answers.py": "packages that only the repository has",
    "photos/test_decoder.py": "packages that only the repository has",
    "production": "machines, which the template's tests start",
    "recipes": "projects that the template's tests generate",
    "scans": "tools of developers, which no setting changes",
    "support": "for the tests that are left out here",
    "template": "projects that the template's tests generate",
    "test_benchmarks.py": "benchmarks of the repository",
    "test_fetch_attacks.py": "packages that only the repository has",
    "test_postgresql.py": "a PostgreSQL that the repository's tests start",
    "test_redis.py": "a Redis that the repository's tests start",
    "test_public_names.py": "the names of every app of the package",
}
# The example app comes with the tests, and has photos.
SETTINGS = """\
import runpy

globals().update(runpy.run_path({path!r}))
INSTALLED_APPS = [*INSTALLED_APPS, "example"]
GUARD_PACKAGES = ["secure_django"]
"""
# The table of pyproject.toml with the tests that a team leaves out.
TABLE = "engines-left-out"
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
    record = require_record()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        clone = Path(temporary).resolve() / "secure-django"
        try:
            command = ("git", "clone", "--quiet", "--", record["template"])
            run(*command, str(clone), GIT_ALLOW_PROTOCOL=SAFE_PROTOCOLS)
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
    paths = [str(clone / "tests" / "site"), str(project)]
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "engines_settings",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    parallel = ("-n", "auto", "--dist", "worksteal")
    command = [sys.executable, "-m", "pytest", "tests", *parallel, *arguments]
    command += [f"--ignore=tests/{name}" for name in list_ignored()]
    command += [f"--deselect={test}" for test in list_left_out(clone, project)]
    return subprocess.run(  # noqa: S603 - no shell
        command, cwd=clone, env=environment, check=False
    ).returncode


def list_ignored() -> list[str]:
    """Return the folders of tests that this project leaves out."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    missing = [name for name, app in APPS.items() if app not in settings.INSTALLED_APPS]
    return [*LEFT_OUT, *missing]


def list_left_out(clone: Path, project: Path) -> list[str]:
    """Return the tests that the team leaves out, or end with what is wrong with one."""
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    metadata = tomllib.loads(text).get("tool", {}).get("secure-django", {})
    left_out: dict[str, str] = metadata.get(TABLE, {})
    for test, reason in left_out.items():
        if not reason.strip():
            sys.exit(
                f"{test} is left out without a reason: [tool.secure-django.{TABLE}]"
            )
        file, _, function = test.partition("::")
        module = clone / file
        if not module.is_file() or f"def {function}(" not in module.read_text("utf-8"):
            sys.exit(f"{test} is left out, but there is no such test")
    return list(left_out)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
