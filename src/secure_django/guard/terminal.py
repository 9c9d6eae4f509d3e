"""What pytest prints at the end of a survey.

No module of the guard that needs the project's settings is imported here.
"""

import pytest

PROPERTY = "guard-survey"


NOTHING = (
    "The survey did not run. If no error above says why, options such as -k or -m have"
    " left it out: run it without them."
)


class SurveyPrinter:
    """Print what the survey has recorded, in whatever process it ran."""

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        stats = terminalreporter.stats.values()
        reports = [report for found in stats for report in found]
        texts = list(filter(None, map(survey_text, reports)))
        terminalreporter.section("survey of the guard")
        terminalreporter.write_line(texts[0] if texts else NOTHING)


def survey_text(report: object) -> str:
    """Return what the survey says, if a report is of it, or else an empty text."""
    properties = dict(getattr(report, "user_properties", ()))
    return str(properties.get(PROPERTY, ""))
