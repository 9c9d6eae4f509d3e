"""A pytest plugin that ends a run with a summary of the controls in SECURITY.md."""

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
            # A file that cannot be imported has no properties. It counts as red, since its controls were not shown.
            for _, control in getattr(report, "user_properties", [("file", report.nodeid)]):
                outcomes.setdefault(str(control), set()).add(outcome)
    red = sorted(control for control, seen in outcomes.items() if seen != {"passed"})
    documents = [settings.BASE_DIR / "SECURITY.md", *settings.BASE_DIR.glob("[a-z]*/**/SECURITY.md")]
    missing = [path.read_text(encoding="utf-8").partition("## Not provided")[2] for path in documents]
    table = {
        "controls shown": sorted(outcomes.keys() - set(red)),
        "red": red,
        "not provided, each with its reason in SECURITY.md": [
            row.split()[1] for text in missing for row in text.splitlines() if row.startswith("| V")
        ],
    }
    terminalreporter.section("controls")
    for what, ids in table.items():
        terminalreporter.write_line(f"{len(ids)} {what}" + (f": {', '.join(ids)}" if ids == red != [] else ""))
    # % if cookiecutter.ci_scanning == "github"
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        rows = "".join(f"| {len(ids)} {what} | {', '.join(ids)} |\n" for what, ids in table.items())
        with open(page, "a", encoding="utf-8") as file:
            file.write(f"### Controls\n\n| how many | which |\n| --- | --- |\n{rows}\n")
    # % endif
