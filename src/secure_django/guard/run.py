"""A pytest plugin: what all tests of the guard have found, said once at the end.

Each test hands what it found to its report, so that pytest-xdist brings it to the
process that prints.
"""

import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from secure_django.guard.accepted import (
    FILE,
    Accepted,
    read_accepted,
    stale_lines,
    write_accepted,
)
from secure_django.guard.record import PROPERTY, recording
from secure_django.guard.results import FOLDER, Records, Results
from secure_django.guard.summary import counts, heading, lines_left_out, summarize

ACCEPT = "--guard-accept"
REPORT = "--guard-report"
# By their names in the options of pytest: with one of them, only some tests run.
SELECTING = ("keyword", "markexpr", "deselect", "lf", "stepwise", "collectonly")
PART = (
    f"{ACCEPT} writes what a whole run finds: run it without paths, -k and other"
    " choices of tests."
)
NOT_WRITTEN = (
    f"{FILE} was not written, since not each test of the guard has run to its end:"
    " repair what stops them, then run it again."
)


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("secure-django")
    group.addoption(
        REPORT, metavar="FOLDER", help="write guard.html and guard.json into a folder"
    )
    group.addoption(
        ACCEPT,
        action="store_true",
        help=f"write what the guard finds today to {FILE}, and accept it",
    )


class Project(NamedTuple):
    """What the plugin knows of a project."""

    root: Path
    left_out: dict[str, Any]  # reasons, by names of tests, pages, rules and people
    # Where whole runs leave the report, unless the command says another folder.
    report_folder: Path | None


def read_wish(config: pytest.Config, root: Path, *, is_whole: bool) -> Accepted:
    """Return what is accepted; refuse to accept what a part of the tests finds."""
    accepted = read_accepted(root)
    if not config.getoption(ACCEPT):
        return accepted
    is_selection = any(config.getoption(name, None) for name in SELECTING)
    if is_selection or not is_whole:
        raise pytest.UsageError(PART)
    return accepted._replace(is_everything=True)


def is_of_guard(item: pytest.Item) -> bool:
    """Return whether a test is the guard's, and not one of a project."""
    return item.path.parent == FOLDER


class Run:
    """Collect what the tests of the guard find, and say it once."""

    def __init__(
        self, config: pytest.Config, project: Project, *, is_whole: bool
    ) -> None:
        self.project = project
        self.is_whole = is_whole
        self.accepted = read_wish(config, project.root, is_whole=is_whole)
        self.collected = 0
        self.records = Records()
        self.problems: list[str] = []
        self.results: Results | None = None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Count the tests that are left once the project's words are applied."""
        self.collected = sum(map(is_of_guard, items))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Notice whether something has chosen some of the tests."""
        if sum(map(is_of_guard, session.items)) != self.collected:
            self.is_whole = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Add what a test of the guard asks and finds to its report."""
        if not is_of_guard(item):
            return (yield)
        with recording(self.accepted) as record:
            try:
                return (yield)
            finally:
                extent = {"collected": self.collected, "is_whole": self.is_whole}
                text = json.dumps(record.values() | extent)
                item.user_properties.append((PROPERTY, text))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.records.add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.records.add_error(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files, and end red if what the project says is stale."""
        config = session.config
        if hasattr(config, "workerinput"):  # pytest-xdist: another process prints
            return
        accepts_all = self.accepted.is_everything
        if accepts_all and not self.records.is_complete:
            self.problems = [NOT_WRITTEN]
        if self.records.by_test:
            self.results = self.records.results(self.accepted)
            self.finish(self.results, config)
        if self.problems and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def finish(self, results: Results, config: pytest.Config) -> None:
        # Here, since the access table is read as a module is imported.
        from secure_django.guard.report import Report, write_report

        if self.records.is_complete:
            self.compare(results)
        folder = self.folder_of_report(config)
        if folder:
            report = Report(
                self.records,
                results,
                self.accepted,
                self.project.left_out,
                self.problems,
            )
            write_report(report, folder)

    def compare(self, results: Results) -> None:
        """Write what is accepted, or find what no longer occurs."""
        if self.accepted.is_everything:
            write_accepted(self.project.root, results.lines, self.accepted.reasons)
        else:
            self.problems += stale_lines(self.accepted, results.lines)
        self.problems += stale_entries(results)

    def folder_of_report(self, config: pytest.Config) -> Path | None:
        """Return where to write. A run of some tests leaves the report as it is."""
        name = config.getoption(REPORT)
        if name:
            return Path(config.invocation_params.dir, name)
        return self.project.report_folder if self.records.is_complete else None

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        if self.results:
            terminalreporter.section(heading(self.results))
        for line in self.last_lines():
            terminalreporter.write_line(line)

    def last_lines(self) -> Iterator[str]:
        """Yield what the run says at its end."""
        if self.results:
            yield from self.lines_about(self.results)
        yield from self.problems
        if self.results and os.environ.get("GITHUB_ACTIONS") == "true":
            yield from lines_for_github(self.results)

    def lines_about(self, results: Results) -> Iterator[str]:
        from secure_django.guard.places import place_of

        yield from summarize(results, place_of)
        yield from counts(self.records, results, self.accepted)
        yield from lines_left_out(self.project.left_out)


def lines_for_github(results: Results) -> Iterator[str]:
    from secure_django.guard.annotations import annotations
    from secure_django.guard.places import place_of

    return annotations(results.new, place_of)


def stale_entries(results: Results) -> Iterator[str]:
    """Yield what to do about each entry of a table that hides nothing."""
    from secure_django.guard.exemptions import decisions, entries_of_tables

    for entry in entries_of_tables().keys() - results.hidden.keys() - decisions():
        yield f"{entry} hides nothing any more: delete it from the table"
