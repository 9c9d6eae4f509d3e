"""Code that is broken on purpose, and which tests run a line of it.

That is a copy of this repository, whose tests run the package in place, or a generated
project.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import generated
from tests.support.baking import (
    ALL_ON,
    SUITE_SECONDS,
    clean_environment,
    copy_template,
    run,
    run_within,
)

PYTEST = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
PACKAGE = "src"
# Those of the template, which generate projects.
NOT_OF_THE_PACKAGE = {"production", "recipes", "site", "support", "template"}
SUITES = ("src/secure_django/guard", "src/secure_django/controls")
# The test of a context, as coverage names it: in the package, below src/.
CONTEXT = re.compile(r"^(.+)\.(\w+)$")

type Coverage = dict[tuple[str, int], set[str]]  # by file and line


@dataclass(frozen=True)
class Subject:
    """A folder whose code is broken, and how its tests run."""

    folder: Path
    is_package: bool

    @property
    def command(self) -> tuple[str, ...]:
        """Return the command that runs named tests, without coverage."""
        if not self.is_package:
            return PYTEST
        return (*PYTEST, "--numprocesses=0", "--tier=quick", "-p", "benchmarks.naming")

    def environment(self) -> dict[str, str]:
        """Return the environment of its tests: the package is that of a copy."""
        if not self.is_package:
            return {}
        return {"PYTHONPATH": str(self.folder / PACKAGE)}

    def modules(self) -> list[str]:
        """Return all test modules of the package, and the folders of its suites.

        The package's plugin leaves out what the test site does not need there.
        """
        modules = [
            module.relative_to(self.folder)
            for module in (self.folder / "tests").rglob("test_*.py")
        ]
        own = [
            module.as_posix()
            for module in modules
            if module.parts[1] not in NOT_OF_THE_PACKAGE
        ]
        return sorted([*own, *SUITES])

    def run_tests(
        self, tests: list[str], seconds: int, *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Run tests until one fails; raise TimeoutExpired if they are endless."""
        return subprocess.run(
            [*self.command, *options, *tests],
            cwd=self.folder,
            env=clean_environment() | self.environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds,
        )


@contextmanager
def package() -> Iterator[Subject]:
    """Yield a copy of this repository in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        yield Subject(copy_template(Path(folder) / "secure-django"), is_package=True)


@contextmanager
def project() -> Iterator[Subject]:
    """Yield a generated project with every feature, in a temporary folder."""
    with generated(ALL_ON) as folder:
        yield Subject(folder, is_package=False)


def trace(subject: Subject, *options: str) -> Coverage:
    """Run the tests of the package, and return which of them run a line of a file.

    They must pass.
    """
    folder = subject.folder
    settings = (
        f"[run]\ndynamic_context = test_function\nsource = {PACKAGE}\n"
        "[json]\nshow_contexts = true\n"
    )
    (folder / ".coveragerc").write_text(settings, encoding="utf-8")
    command = ("coverage", "run", *subject.command[1:], *options, *subject.modules())
    try:
        run_within(SUITE_SECONDS, folder, command, subject.environment())
    except AssertionError as error:
        sys.exit(f"The tests fail before anything is changed:\n{error}")
    run(folder, "coverage", "json", "--quiet", "-o", "coverage.json")
    report = json.loads((folder / "coverage.json").read_text(encoding="utf-8"))
    tests_of_lines: Coverage = {}
    for path, file in report["files"].items():
        for line, contexts in file["contexts"].items():
            # The empty context is what runs at import and in fixtures.
            tests_of_lines[path.replace(os.sep, "/"), int(line)] = {
                name_test(context) for context in contexts
            }
    return tests_of_lines


def name_test(context: str) -> str:
    """Return pytest's name of a test from its dotted name."""
    match = CONTEXT.match(context)
    if not match:
        return context
    module = match[1].replace(".", "/")
    folder = f"{PACKAGE}/" if module.startswith("secure_django/") else ""
    return f"{folder}{module}.py::{match[2]}"


def count_lines(coverage: Coverage) -> Counter[str]:
    """Return the number of lines that each test runs."""
    return Counter(test for tests in coverage.values() for test in tests)


def tested_by(test: str) -> str:
    """Return the code that a test, or a module of tests, is beside; or nothing.

    tests/photos/ is about src/secure_django/photos/, and tests/test_csv.py about
    src/secure_django/csv.py. A project's tests are in the app that they test.
    """
    path = test.partition("::")[0]
    if not path.startswith("tests/"):
        app, _, module = path.partition("/tests/")
        return f"{app}/" if module else ""
    folder, _, module = path.removeprefix("tests/").rpartition("/")
    if folder.partition("/")[0] in NOT_OF_THE_PACKAGE:
        return ""
    if folder:
        return f"{PACKAGE}/secure_django/{folder}/"
    return f"{PACKAGE}/secure_django/{module.removeprefix('test_')}"
