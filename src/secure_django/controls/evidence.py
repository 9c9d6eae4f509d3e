"""A pytest plugin for auditors: which controls of docs/controls.md the tests show.

It prints a summary, and writes reports/controls.json. A whole run fails if it does not
show a control that is listed as shown, or if a test did not run that pyproject.toml
does not leave out.
"""

import json
import os
import platform
import re
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from pytest_django.plugin import blocking_manager_key

from secure_django.advisories import read_contents
from secure_django.commands.vendored import VENDOR, find_installed, hash_files
from secure_django.controls.collected import collected_tests, is_worker
from secure_django.controls.command_line import is_selection
from secure_django.controls.outcomes import (
    Outcomes,
    function_of,
    left_out_by,
    written_tests,
)
from secure_django.controls.project import Project, name_of, read_project
from secure_django.controls.release import Release, read_release
from secure_django.fleet.forms import SCHEMA, STATES
from secure_django.fleet.problems import digest_list
from secure_django.guard.config import kind_of, read_tables

# A control, its level, its category of the OWASP Top 10, what it requires, its state
# and the reason.
LISTED = re.compile(
    r"^\| ([\w.-]+) \| ([123–]) \| (A\d\d) \| (.+) \| ([a-z ]+)(?:: (.+))? \|$",
    re.MULTILINE,
)
LIST = Path(__file__).parents[1] / "docs" / "controls.md"
# A rotated secret begins a line.
ACCEPTED = {
    "scans/leaks-rotated.txt": r"^\w+",
    "scans/suppressions.xml": r"<suppress\b",
}
XML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
EVIDENCE = pytest.StashKey[dict[str, Any]]()
BY_RELEASE = "shown by the release"
LEFT_OUT = "left out"
ADVICE = (
    "Each test of secure-django must run, or stand with its reason in"
    " [tool.secure-django.left-out] of pyproject.toml."
)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Give a file of the package its short name if the command names the file.

    Pytest names a file outside of the project by nothing, and one in a virtual
    environment by its path there.
    """
    name = name_of(module_path)
    if name is None:
        return None
    return pytest.Module.from_parent(parent, path=module_path, nodeid=name)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Deselect the tests that pyproject.toml leaves out."""
    left_out = read_project(settings.BASE_DIR).left_out
    deselected = [item for item in items if left_out_by(item.nodeid, left_out)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def commit() -> str | None:
    """Return the commit (`-dirty` if files have changed); None if there is none."""
    git = ("git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    with suppress(OSError):
        return (
            subprocess.run(  # noqa: S603
                git, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
            ).stdout.strip()
            or None
        )
    return None


def hash_package(root: Path) -> str:
    """Return one hash of the package's files: those of vendor/, or the installed ones.

    secure_django.fleet compares it with the list that the release publishes.
    """
    installed = find_installed()
    vendor = root / VENDOR
    is_vendored = installed and installed.is_relative_to(vendor.resolve())
    folder = vendor if is_vendored else installed
    return digest_list(hash_files(folder)) if folder else ""


def count_accepted(root: Path) -> dict[str, int]:
    """Return how many findings of scans the project accepts, by its files."""
    counts = {}
    for path, pattern in ACCEPTED.items():
        file = root / path
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        written = XML_COMMENT.sub("", text)
        counts[path] = len(re.findall(pattern, written, re.MULTILINE))
    return counts


def database(config: pytest.Config) -> str:
    numbers: tuple[int, ...] = ()
    with suppress(DatabaseError), config.stash[blocking_manager_key].unblock():
        numbers = connection.get_database_version()
    return f"{connection.display_name} {'.'.join(map(str, numbers))}".strip()


class Controls:
    """The controls of docs/controls.md, each with its state."""

    def __init__(self, outcomes: Outcomes, project: Project, release: Release) -> None:
        self.outcomes = outcomes
        self.project = project
        self.release = release
        text = LIST.read_text(encoding="utf-8")
        self.rows = {control: row for control, *row in LISTED.findall(text)}

    def describe(self, control: str) -> dict[str, Any]:
        empty = ("", "", "", "shown", "")
        level, category, requires, listed, reason = self.rows.get(control, empty)
        state = self.state(control, listed)
        return {
            "id": control,
            "level": int(level) if level.isdigit() else None,
            "owasp_top_10": f"{category}:2025",
            "requires": requires,
            "state": state,
            "why": self.reason(control, state) or reason or None,
            "tests": self.outcomes.controls.get(control, {}),
            "release": self.tests_of_release(control),
        }

    def list_all(self) -> list[dict[str, Any]]:
        return [self.describe(it) for it in self.rows | self.outcomes.controls]

    def tests_of_release(self, control: str) -> list[str]:
        """Return the package's tests about what this project has."""
        tests = self.release.controls.get(control, [])
        return [test for test in tests if not self.project.missing(test)]

    def state(self, control: str, listed: str) -> str:
        """Return the state of a control that docs/controls.md lists with another."""
        tests = self.outcomes.controls.get(control, {})
        seen = {tests[test] for test in tests.keys() - self.outcomes.excused}
        if seen & {"failed", "error"}:
            return "red"
        if LEFT_OUT in seen:
            return LEFT_OUT
        if seen:
            return "shown" if seen == {"passed"} else "not shown"
        if listed != "shown":
            return listed
        return self.state_by_release(control)

    def state_by_release(self, control: str) -> str:
        """Return the state of a control without a test that ran in this project."""
        tests = self.tests_of_release(control)
        if not tests and control in self.release.controls:
            return "not provided"
        is_shown = tests and set(tests).isdisjoint(self.release.suite)
        return BY_RELEASE if is_shown else "not shown"

    def reason(self, control: str, state: str) -> str:
        """Return why a control is not shown, if this project is why."""
        if state == LEFT_OUT:
            tests = self.outcomes.controls[control]
            reasons = self.project.left_out
            names = {left_out_by(test, reasons) for test in tests}
            return "; ".join(str(reasons[it]) for it in reasons if it in names)
        tests_of_release = self.release.controls.get(control, [])
        if state == "not provided" and tests_of_release:
            missing = {self.project.missing(test) for test in tests_of_release}
            return f"this project has no {', '.join(sorted(missing))}"
        return ""


def check_left_out(left_out: dict[str, Any], tests: set[str]) -> list[str]:
    """Return what is wrong with the tests that pyproject.toml leaves out."""
    functions = {function_of(test) for test in tests}
    problems = []
    for name, reason in left_out.items():
        # The guard asks about its pages, rules and people.
        if kind_of(name) == "test" and name not in functions:
            problems.append(f"{name} is left out, but no test of this project has it")
        if not isinstance(reason, str) or not reason.strip():
            problems.append(f"{name} is left out without a reason")
    return problems


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if is_worker(config):
        return
    collected = collected_tests(config)
    project = read_project(settings.BASE_DIR)
    release = read_release()
    contents = read_contents()
    outcomes = Outcomes(config.pluginmanager.get_plugin("terminalreporter"), collected)
    outcomes.add_left_out(project.left_out)
    controls = Controls(outcomes, project, release).list_all()
    failed = outcomes.failed
    is_part = (
        is_selection(config)
        or exitstatus not in {0, 1}
        or any(test.endswith(".py") for test in failed)
    )
    did_not_run: dict[str, str] = {}
    problems: list[str] = []
    if not is_part:
        required = [test for test in release.suite if not project.missing(test)]
        written = [*written_tests(project.root)]
        did_not_run = {
            test: reason
            for test, reason in outcomes.did_not_run(required, written).items()
            if not left_out_by(test, project.left_out)
        }
        problems = check_left_out(project.left_out, {*required, *written, *collected})
        states = {row["state"] for row in controls}
        if did_not_run or problems or states & {"red", "not shown"}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    config.stash[EVIDENCE] = {
        "schema_version": SCHEMA,
        "project": project.name,
        "template_release": project.release,
        "package": version("secure-django"),
        "package_sha256": hash_package(project.root),
        "upstream_release": contents.release,
        "fixes": sorted(contents.fixes),
        "commit": commit(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "ci_run": os.environ.get("CI_RUN_URL"),
        "complete": not is_part and not did_not_run,
        "exit_status": int(session.exitstatus),
        "result": "red" if session.exitstatus or failed else "green",
        "totals": outcomes.totals | {"left_out": len(project.left_out)},
        "failed": failed,
        "did_not_run": did_not_run,
        "left_out": project.left_out,
        "exempt": project.exempt,
        "guard": read_tables(project.root).get("guard", {}),
        "accepted": count_accepted(project.root),
        "problems": problems,
        "versions": {
            "python": platform.python_version(),
            "django": django.__version__,
            "database": database(config),
        },
        "asvs": {"version": "5.0.0", "level": 1},
        "release": release.version,
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
    states = states_of(evidence)
    file = write(evidence)
    terminalreporter.section("controls")
    for line in summarize(evidence, states):
        terminalreporter.write_line(line)
    # These alone make a run fail.
    if not exitstatus:
        for line in explain(evidence):
            terminalreporter.write_line(line)
    terminalreporter.write_line(
        f"{LIST.relative_to(LIST.parents[2])} has the reasons,"
        f" {file.relative_to(settings.BASE_DIR)} the tests."
    )
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        write_page(Path(page), states)


def write(evidence: dict[str, Any]) -> Path:
    """Write the evidence. A run of some tests leaves that of a whole one as it is."""
    name = "controls.json" if evidence["complete"] else "controls-partial.json"
    file: Path = settings.BASE_DIR / "reports" / name
    file.parent.mkdir(exist_ok=True)
    text = json.dumps(evidence, indent=2, ensure_ascii=False)
    file.write_text(text, encoding="utf-8")
    return file


def summarize(evidence: dict[str, Any], states: dict[str, list[str]]) -> list[str]:
    named = {"red", LEFT_OUT}
    if evidence["complete"]:
        named.add("not shown")
    lines = []
    for state, ids in states.items():
        names = f": {', '.join(ids)}" if ids and state in named else ""
        lines.append(f"{len(ids)} {state}{names}")
    left_out = evidence["left_out"]
    if left_out:
        lines.append(f"{len(left_out)} left out: {', '.join(left_out)}")
    return lines


def explain(evidence: dict[str, Any]) -> list[str]:
    tests = evidence["did_not_run"]
    lines = [f"{test} {reason}" for test, reason in tests.items()]
    if tests:
        lines = [f"{len(tests)} did not run:", *lines]
        if any(test.startswith("secure_django/") for test in tests):
            lines.append(ADVICE)
    return [*lines, *evidence["problems"]]


def write_page(page: Path, states: dict[str, list[str]]) -> None:
    """Add the states to the page that GitHub shows of a run."""
    table = "".join(
        f"| {len(ids)} {state} | {', '.join(ids)} |\n" for state, ids in states.items()
    )
    with page.open("a", encoding="utf-8") as summary:
        summary.write(f"### Controls\n\n| how many | which |\n| --- | --- |\n{table}\n")
