"""What pytest has run, and what did not run although it must."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

# An expected failure is a failure: its control was not shown. Of two outcomes of a
# test, the later one counts.
OUTCOMES = {"skipped": "skipped", "passed": "passed", "xpassed": "passed"}
OUTCOMES |= {"xfailed": "failed", "failed": "failed", "error": "error"}
# Folders with tests that are not the project's own.
FOREIGN = {"node_modules", "site-packages", "vendor"}
GUARD = "secure_django/guard/"
NOT_COLLECTED = "was not collected"
DESELECTED = "was deselected"
SKIPPED = "was skipped"


def name_of_test(test: str) -> str:
    """Return the id of a test without parameters."""
    return test.partition("[")[0]


def function_of(test: str) -> str:
    return name_of_test(test).rpartition("::")[2]


def rules_of(test: str) -> set[str]:
    """Return the rule that a test of the guard is about, if there is one."""
    if not test.startswith(GUARD):
        return set()
    file, _, name = name_of_test(test).partition("::")
    module = import_module(file.removesuffix(".py").replace("/", "."))
    marks = getattr(getattr(module, name), "pytestmark", [])
    return {mark.args[0] for mark in marks if mark.name == "rule"}


def left_out_by(test: str, left_out: dict[str, Any]) -> str:
    """Return the name of the test or of its rule, if pyproject.toml leaves it out."""
    names = [function_of(test), *rules_of(test)]
    return next((name for name in names if name in left_out), "")


def name_of_function(node: ast.stmt) -> str:
    """Return the name of a function, and an empty string for other statements."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name
    return ""


def written_tests(root: Path) -> Iterator[str]:
    """Yield pytest's name of each test function of a project, without parameters."""
    for path in root.glob("[a-z]*/**/test_*.py"):
        if FOREIGN.isdisjoint(path.parts):
            file = path.relative_to(root).as_posix()
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                name = name_of_function(node)
                if name.startswith("test"):
                    yield f"{file}::{name}"


def is_excused(report: Any) -> bool:
    """Return whether the test needs another system or an optional package."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    return sys.platform != "linux" or "could not import" in reason


class Outcomes:
    """The outcomes of each test, and of each control's tests."""

    def __init__(self, reporter: Any, collected: dict[str, list[str]]) -> None:
        self.collected = collected  # the ids of tests, with the ids of controls
        self.tests: dict[str, str] = {}
        self.controls: dict[str, dict[str, str]] = {}
        self.excused: set[str] = set()
        self.totals: dict[str, int] = {}
        for category in OUTCOMES:
            reports = reporter.getreports(category)
            self.totals[category] = len(reports)
            # Tests of several workers end in any order.
            for report in sorted(reports, key=lambda report: report.nodeid):
                self.add(category, report)

    def add(self, category: str, report: Any) -> None:
        self.tests[report.nodeid] = OUTCOMES[category]
        if category == "skipped" and is_excused(report):
            self.excused.add(report.nodeid)
        for name, control in getattr(report, "user_properties", []):
            if name == "control":  # a test can record properties of its own
                tests = self.controls.setdefault(control, {})
                tests[report.nodeid] = OUTCOMES[category]

    def add_left_out(self, left_out: dict[str, Any]) -> None:
        """Add the tests that pyproject.toml leaves out to those of their controls."""
        for test, controls in sorted(self.collected.items()):
            if left_out_by(test, left_out):
                for control in controls:
                    self.controls.setdefault(control, {})[test] = "left out"

    @property
    def failed(self) -> list[str]:
        failures = {"failed", "error"}
        return sorted(test for test, it in self.tests.items() if it in failures)

    def did_not_run(self, required: list[str], written: list[str]) -> dict[str, str]:
        """Return why tests did not run, by their names.

        `required` are the package's, which may not be skipped, and `written` the
        project's own.
        """
        ids = defaultdict(set)
        for test in self.collected:
            ids[name_of_test(test)].add(test)
        # There is a report of a file that is skipped.
        names = {name for name in written if name.partition("::")[0] not in self.tests}
        reasons = {}
        for name in sorted({*required, *names, *ids}):
            if not ids[name]:
                reasons[name] = NOT_COLLECTED
            elif ids[name] - self.tests.keys():
                reasons[name] = DESELECTED
            elif name in required and self.is_skipped(ids[name]):
                reasons[name] = SKIPPED
        return reasons

    def is_skipped(self, tests: set[str]) -> bool:
        return any(self.tests[test] == "skipped" for test in tests - self.excused)
