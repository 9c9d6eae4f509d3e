"""What pytest prints at the end of a survey.

No module of the guard that needs the project's settings is imported here.
"""

from collections.abc import Iterator

import pytest

PROPERTY = "guard-survey"


class SurveyPrinter:
    """Print what the survey has recorded, in whatever process it ran."""

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        reports = [it for found in terminalreporter.stats.values() for it in found]
        for text in survey_texts(reports):
            terminalreporter.section("survey of the guard")
            terminalreporter.write_line(text)


def survey_texts(reports: list[object]) -> Iterator[str]:
    for report in reports:
        if isinstance(report, pytest.TestReport) and report.when == "teardown":
            continue
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                yield str(value)
