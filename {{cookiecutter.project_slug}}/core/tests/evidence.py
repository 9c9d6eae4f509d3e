"""A pytest plugin: the controls in SECURITY.md with their tests, as a summary and in reports/controls.json."""

import json
import re
import tomllib
from datetime import UTC, datetime

import pytest
from django.conf import settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [("control", marker.args[0]) for marker in item.iter_markers("control")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tests: dict[str, dict[str, str]] = {}
    # An expected failure is a failure: its control was not shown.
    outcomes = {"skipped": "skipped", "passed": "passed", "xfailed": "failed", "failed": "failed", "error": "error"}
    for category, outcome in outcomes.items():
        # Tests of several workers end in any order.
        for report in sorted(terminalreporter.getreports(category), key=lambda report: report.nodeid):
            # A file that cannot be imported has no properties. It counts as red, since its controls were not shown.
            broken = [("control", report.nodeid)] if outcome == "error" else []
            for name, control in getattr(report, "user_properties", broken):
                if name == "control":  # a test can record properties of its own
                    tests.setdefault(control, {})[report.nodeid] = outcome
    red = sorted(control for control, seen in tests.items() if {"failed", "error"} & set(seen.values()))
    shown = sorted(control for control, seen in tests.items() if "passed" in seen.values() and control not in red)
    documents = [settings.BASE_DIR / "SECURITY.md", *settings.BASE_DIR.glob("[a-z]*/**/SECURITY.md")]
    parts = [path.read_text(encoding="utf-8").partition("## Not provided") for path in documents]
    missing = re.findall(r"^\| (V\S+) \| (.+) \| (.+) \|$", "".join(part[2] for part in parts), re.MULTILINE)
    prevents: dict[str, list[str]] = {}
    for control, what in re.findall(r"^\| (\S+) \| (.+) \| `test_", "".join(part[0] for part in parts), re.MULTILINE):
        prevents.setdefault(control, []).append(what)
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))
    evidence = {
        "project": project["project"]["name"],
        "template_release": project["tool"]["secure-django"]["version"],
        "tested": datetime.now(UTC).isoformat(timespec="seconds"),
        "shown": shown,
        "red": red,
        "controls": [
            {"id": it, "prevents": prevents.get(it, []), "tests": tests.get(it, {})} for it in prevents | tests
        ],
        "not_provided": [{"id": control, "what": what, "why": why} for control, what, why in missing],
    }
    (settings.BASE_DIR / "reports").mkdir(exist_ok=True)
    (settings.BASE_DIR / "reports" / "controls.json").write_text(json.dumps(evidence, indent=2), encoding="utf-8")
    table = {
        "controls shown": shown,
        "red": red,
        "not provided, each with its reason in SECURITY.md": [control for control, _, _ in missing],
    }
    terminalreporter.section("controls")
    for what, ids in table.items():
        terminalreporter.write_line(f"{len(ids)} {what}" + (f": {', '.join(ids)}" if ids == red != [] else ""))
    # % if cookiecutter.ci_scanning == "github"
    import os

    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        rows = "".join(f"| {len(ids)} {what} | {', '.join(ids)} |\n" for what, ids in table.items())
        with open(page, "a", encoding="utf-8") as file:
            file.write(f"### Controls\n\n| how many | which |\n| --- | --- |\n{rows}\n")
    # % endif
