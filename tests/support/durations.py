"""A pytest plugin: seconds and CPU seconds of each module, with `--by-module`.

CPU seconds include the programs that a test starts and waits for. What a test shares
with others, such as a generated project, counts for the module that is first.
"""

import os
from collections import defaultdict
from collections.abc import Generator
from pathlib import PurePosixPath

import pytest


def cpu_seconds() -> float:
    """Return what this process and its ended programs have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Clock:
    """Notes in each report what its phase has used."""

    used = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self,
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add to a report what was used since the last one."""
        report = yield
        used = cpu_seconds()
        # A report that is sent to another process keeps such an attribute.
        report.cpu_seconds = used - self.used  # type: ignore[attr-defined]
        self.used = used
        return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("tiers").addoption(
        "--by-module", action="store_true", help="print the seconds of each module"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.by_module:
        config.pluginmanager.register(Clock())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a table of the modules, and of their folders, longest first."""
    if not terminalreporter.config.option.by_module:
        return
    seconds: defaultdict[str, float] = defaultdict(float)
    cpu: defaultdict[str, float] = defaultdict(float)
    tests: defaultdict[str, int] = defaultdict(int)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if not hasattr(report, "cpu_seconds"):
                continue
            path = PurePosixPath(report.nodeid.partition("::")[0])
            for name in (str(path), f"{path.parent}/", "all"):
                seconds[name] += report.duration
                cpu[name] += report.cpu_seconds
                tests[name] += report.when == "call"
    terminalreporter.section("seconds by module")
    terminalreporter.line("| module | tests | seconds | CPU seconds |")
    terminalreporter.line("| --- | ---: | ---: | ---: |")
    for name in sorted(seconds, key=lambda name: -cpu[name]):
        row = f"| {name} | {tests[name]} | {seconds[name]:.1f} | {cpu[name]:.1f} |"
        terminalreporter.line(row)
