"""A pytest plugin: name the controls of tests that fail, as a project's tests do."""

import pytest

failed: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember the controls of a failed test."""
    if report.failed:
        failed.extend(
            str(value) for name, value in report.user_properties if name == "control"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand the controls of each test to its report."""
    for item in items:
        item.user_properties += [
            ("control", marker.args[0]) for marker in item.iter_markers("control")
        ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the controls."""
    if failed:
        terminalreporter.write_line(f"{len(failed)} red: {', '.join(failed)}")
