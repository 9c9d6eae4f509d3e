"""A pytest plugin for a project that has the guard alone: all of the guard must run.

In a project of the template, evidence.py sees to it.
"""

import pytest

from secure_django.controls.collected import collected_tests, is_worker
from secure_django.controls.command_line import is_selection
from secure_django.controls.outcomes import GUARD, Outcomes, left_out_by, rules_of
from secure_django.controls.release import read_release
from secure_django.guard.config import read_config

DID_NOT_RUN = pytest.StashKey[dict[str, str]]()
ADVICE = (
    "Each test of the guard must run, or stand with its reason in"
    " [tool.secure-django.left-out] of pyproject.toml."
)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if is_worker(config) or is_selection(config) or exitstatus not in {0, 1}:
        return
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    outcomes = Outcomes(reporter, collected_tests(config))
    required = required_tests()
    reasons = outcomes.did_not_run(required, [])
    did_not_run = {test: reasons[test] for test in required if test in reasons}
    config.stash[DID_NOT_RUN] = did_not_run
    if did_not_run:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def required_tests() -> list[str]:
    """Return the tests of the guard that the project asks for."""
    config = read_config()
    tests = [test for test in read_release().suite if test.startswith(GUARD)]
    asked_tests = [test for test in tests if rules_of(test) <= config.rules]
    return [test for test in asked_tests if not left_out_by(test, config.left_out)]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    did_not_run = config.stash.get(DID_NOT_RUN, {})
    if not did_not_run:
        return
    terminalreporter.section("the guard is not complete")
    for test, reason in did_not_run.items():
        terminalreporter.write_line(f"{test} {reason}")
    terminalreporter.write_line(ADVICE)
