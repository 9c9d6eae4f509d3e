"""A pytest plugin for auditors: which controls of docs/controls.md the tests show.

It prints a summary, and writes reports/controls.json. A whole run that does not show
each listed control fails.
"""

import ast
import json
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import django
import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from pytest_django.plugin import blocking_manager_key

# A control, its level, its category of the OWASP Top 10, what it requires, its state
# and the reason.
LISTED = re.compile(
    r"^\| ([\w.-]+) \| ([123–]) \| (A\d\d) \| (.+) \| ([a-z ]+)(?:: (.+))? \|$",
    re.MULTILINE,
)
# An expected failure is a failure: its control was not shown. Of two outcomes of a
# test, the later one counts.
OUTCOMES = {"skipped": "skipped", "passed": "passed", "xpassed": "passed"}
OUTCOMES |= {"xfailed": "failed", "failed": "failed", "error": "error"}
# With these in the command, only a part of the tests is meant to run.
SELECTING = {"-k", "-m", "--deselect", "--ignore", "--ignore-glob", "--co"}
SELECTING |= {"--collect-only", "--lf", "--last-failed", "--sw", "--stepwise"}
EVIDENCE = pytest.StashKey[dict[str, Any]]()
STATES = ("shown", "red", "not shown", "not provided", "not applicable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [
            ("control", marker.args[0]) for marker in item.iter_markers("control")
        ]


def written_tests() -> Iterator[str]:
    """Yield pytest's name of each test function of each file, without parameters."""
    for path in settings.BASE_DIR.glob("[a-z]*/**/test_*.py"):
        if "site-packages" not in path.parts:
            file = path.relative_to(settings.BASE_DIR).as_posix()
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(
                    node, ast.FunctionDef | ast.AsyncFunctionDef
                ) and node.name.startswith("test"):
                    yield f"{file}::{node.name}"


def commit() -> str | None:
    """Return the commit (`-dirty` if files have changed); None if there is none."""
    git = ("git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    with suppress(OSError):
        return (
            subprocess.run(  # noqa: S603
                git, cwd=settings.BASE_DIR, capture_output=True, text=True
            ).stdout.strip()
            or None
        )
    return None


def database(config: pytest.Config) -> str:
    version: tuple[int, ...] = ()
    with suppress(DatabaseError), config.stash[blocking_manager_key].unblock():
        version = connection.get_database_version()
    return f"{connection.display_name} {'.'.join(map(str, version))}".strip()


def is_selection(config: pytest.Config) -> bool:
    """Return whether the command names tests. Options in a file do not count."""
    command = config.invocation_params
    return (
        config.args_source is pytest.Config.ArgsSource.ARGS
        or command.dir != config.rootpath
        or any(
            word.partition("=")[0] in SELECTING or word[:2] in SELECTING
            for word in command.args
        )
    )


def is_excused(report: Any) -> bool:
    """Return whether the test needs another system or an optional package."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    return sys.platform != "linux" or "could not import" in reason


class Outcomes:
    """The outcomes of each test, and of each control's tests."""

    def __init__(self, reporter: Any) -> None:
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

    @property
    def failed(self) -> list[str]:
        return sorted(
            test
            for test, outcome in self.tests.items()
            if outcome in {"failed", "error"}
        )

    @property
    def did_not_run(self) -> list[str]:
        # There is a report of each test, or of a file that is skipped. A file that
        # cannot be imported has one too.
        ran = {test.partition("[")[0] for test in self.tests}
        return [
            test
            for test in written_tests()
            if not {test, test.partition("::")[0]} & ran
        ]

    def state(self, control: str, listed: str) -> str:
        """Return the state of a control that docs/controls.md lists with another."""
        tests = self.controls.get(control, {})
        seen = {tests[test] for test in tests.keys() - self.excused}
        if seen & {"failed", "error"}:
            return "red"
        if not seen and listed != "shown":
            return listed
        return "shown" if seen == {"passed"} else "not shown"


def list_controls(outcomes: Outcomes) -> list[dict[str, Any]]:
    text = (settings.BASE_DIR / "docs" / "controls.md").read_text(encoding="utf-8")
    rows = {control: row for control, *row in LISTED.findall(text)}
    controls = []
    for control in rows | outcomes.controls:
        level, category, requires, state, why = rows.get(
            control, ("", "", "", "shown", "")
        )
        row = {
            "id": control,
            "level": int(level) if level.isdigit() else None,
            "owasp_top_10": f"{category}:2025",
            "requires": requires,
            "state": outcomes.state(control, state),
            "why": why or None,
            "tests": outcomes.controls.get(control, {}),
        }
        controls.append(row)
    return controls


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if hasattr(config, "workerinput"):  # pytest-xdist: only a part of the tests ran
        return
    outcomes = Outcomes(config.pluginmanager.get_plugin("terminalreporter"))
    controls = list_controls(outcomes)
    failed = outcomes.failed
    is_part = (
        is_selection(config)
        or exitstatus not in {0, 1}
        or any(test.endswith(".py") for test in failed)
    )
    did_not_run = [] if is_part else outcomes.did_not_run
    is_shown = {row["state"] for row in controls}.isdisjoint({"red", "not shown"})
    if not is_part and (did_not_run or not is_shown):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    project = tomllib.loads(
        (settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8")
    )
    config.stash[EVIDENCE] = {
        "schema_version": 1,
        "project": project["project"]["name"],
        "template_release": project["tool"]["secure-django"]["version"],
        "commit": commit(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "ci_run": os.environ.get("CI_RUN_URL"),
        "complete": not is_part and not did_not_run,
        "exit_status": int(session.exitstatus),
        "result": "red" if session.exitstatus or failed else "green",
        "totals": outcomes.totals,
        "failed": failed,
        "did_not_run": did_not_run,
        "versions": {
            "python": platform.python_version(),
            "django": django.__version__,
            "database": database(config),
        },
        "asvs": {"version": "5.0.0", "level": 1},
        "controls": controls,
    }


def states_of(evidence: dict[str, Any]) -> dict[str, list[str]]:
    """Return the controls of each state. Tests that failed without one are red."""
    states: dict[str, list[str]] = {state: [] for state in STATES}
    for row in evidence["controls"]:
        states[row["state"]].append(row["id"])
    marked = {test for row in evidence["controls"] for test in row["tests"]}
    states["red"] += [test for test in evidence["failed"] if test not in marked]
    return states


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    evidence = config.stash.get(EVIDENCE, None)
    if evidence is None:  # a worker of pytest-xdist
        return
    complete, states = evidence["complete"], states_of(evidence)
    file = (
        settings.BASE_DIR
        / "reports"
        / ("controls.json" if complete else "controls-partial.json")
    )
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        json.dumps(evidence, indent=2, ensure_ascii=False), encoding="utf-8"
    )
    terminalreporter.section("controls")
    for state, ids in states.items():
        names = (
            f": {', '.join(ids)}"
            if ids and (state == "red" or (state == "not shown" and complete))
            else ""
        )
        terminalreporter.write_line(f"{len(ids)} {state}{names}")
    tests = evidence["did_not_run"]
    if tests and not exitstatus:  # this failure alone makes the run fail
        terminalreporter.write_line(f"{len(tests)} did not run: {', '.join(tests)}")
    terminalreporter.write_line(
        "docs/controls.md has the reasons,"
        f" {file.relative_to(settings.BASE_DIR)} the tests."
    )
    # % if cookiecutter.ci_scanning == "github"
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        table = "".join(
            f"| {len(ids)} {state} | {', '.join(ids)} |\n"
            for state, ids in states.items()
        )
        with open(page, "a", encoding="utf-8") as summary:
            summary.write(
                f"### Controls\n\n| how many | which |\n| --- | --- |\n{table}\n"
            )
    # % endif
