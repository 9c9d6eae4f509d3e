"""A pytest plugin for auditors: what the tests show of docs/controls.md.

It prints a summary, and writes reports/controls.json.
"""

import ast
import json
import os
import platform
import re
import subprocess
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
            for it in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(
                    it, ast.FunctionDef | ast.AsyncFunctionDef
                ) and it.name.startswith("test"):
                    yield f"{file}::{it.name}"


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


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    if hasattr(config, "workerinput"):  # pytest-xdist: only a part of the tests ran
        return
    outcomes: dict[str, str] = {}
    tests: dict[str, dict[str, str]] = {}
    reports = {category: terminalreporter.getreports(category) for category in OUTCOMES}
    for category, found in reports.items():
        # Tests of several workers end in any order.
        for report in sorted(found, key=lambda report: report.nodeid):
            outcomes[report.nodeid] = OUTCOMES[category]
            for name, control in getattr(report, "user_properties", []):
                if name == "control":  # a test can record properties of its own
                    tests.setdefault(control, {})[report.nodeid] = OUTCOMES[category]
    failed = sorted(
        test for test, outcome in outcomes.items() if outcome in {"failed", "error"}
    )
    # A whole run has a report of each test, or of a file that is skipped. A file that
    # cannot be imported has one too.
    ran = {test.partition("[")[0] for test in outcomes}
    selected = config.option.keyword or config.option.markexpr or config.option.deselect
    broken = exitstatus not in {0, 1} or any(test.endswith(".py") for test in failed)
    complete = not (selected or broken) and all(
        {it, it.partition("::")[0]} & ran for it in written_tests()
    )

    controls: list[dict[str, Any]] = []
    text = (settings.BASE_DIR / "docs" / "controls.md").read_text(encoding="utf-8")
    rows = {control: row for control, *row in LISTED.findall(text)}
    states: dict[str, list[str]] = {
        "shown": [],
        "red": [],
        "not shown": [],
        "not provided": [],
        "not applicable": [],
    }
    for control in rows | tests:
        level, category, requires, state, why = rows.get(
            control, ("", "", "", "shown", "")
        )
        seen = {*tests.get(control, {}).values()}
        if seen or state == "shown":
            state = (
                "red"
                if seen & {"failed", "error"}
                else "shown"
                if "passed" in seen
                else "not shown"
            )
        row = {
            "id": control,
            "level": int(level) if level.isdigit() else None,
            "owasp_top_10": f"{category}:2025",
        }
        row |= {
            "requires": requires,
            "state": state,
            "why": why or None,
            "tests": tests.get(control, {}),
        }
        controls.append(row)
        states[state].append(control)
    marked = {test for seen in tests.values() for test in seen}
    states["red"] += [test for test in failed if test not in marked]

    project = tomllib.loads(
        (settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8")
    )
    evidence = {
        "schema_version": 1,
        "project": project["project"]["name"],
        "template_release": project["tool"]["secure-django"]["version"],
        "commit": commit(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "ci_run": os.environ.get("CI_RUN_URL"),
        "complete": complete,
        "exit_status": int(exitstatus),
        "result": "red"
        if exitstatus or states["red"] or (complete and states["not shown"])
        else "green",
        "totals": {category: len(found) for category, found in reports.items()},
        "failed": failed,
        "versions": {
            "python": platform.python_version(),
            "django": django.__version__,
            "database": database(config),
        },
        "asvs": {"version": "5.0.0", "level": 1},
        "controls": controls,
    }
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
