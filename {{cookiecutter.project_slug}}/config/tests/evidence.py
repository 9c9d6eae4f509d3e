"""A pytest plugin: ends a run with what it showed of the controls in SECURITY.md."""

# % if cookiecutter.ci_scanning == "github"
import os

# % endif
import pytest
from django.conf import settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [("control", marker.args[0]) for marker in item.iter_markers("control")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    outcomes: dict[str, set[str]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            for _, control in report.user_properties:
                outcomes.setdefault(str(control), set()).add(outcome)
    red = sorted(control for control, seen in outcomes.items() if seen != {"passed"})
    _, _, missing = (settings.BASE_DIR / "SECURITY.md").read_text(encoding="utf-8").partition("## Not provided")
    lines = [
        f"{len(outcomes) - len(red)} controls shown",
        f"{len(red)} red{': ' if red else ''}{', '.join(red)}",
        f"{missing.count('| V')} not provided, each with its reason in SECURITY.md",
    ]
    terminalreporter.section("controls")
    for line in lines:
        terminalreporter.write_line(line)
    # % if cookiecutter.ci_scanning == "github"
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(page, "a", encoding="utf-8") as file:
            file.write("### Controls\n\n" + "".join(f"- {line}\n" for line in lines))
    # % endif
