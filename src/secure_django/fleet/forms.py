"""Which form the evidence of a project has, and whether it agrees with itself."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from secure_django.advisories import MAIN, parse_version
from secure_django.untrusted import UnreadableError

# The form of the file that secure_django.controls.evidence writes.
SCHEMA = 4
# The states of a control, in the order of a summary.
STATES = (
    "shown",
    "shown by the release",
    "red",
    "not shown",
    "left out",
    "not provided",
    "not applicable",
)
RESULTS = ("green", "red")
FAILURES = ("failed", "error", "xfailed")
COMMIT = re.compile(r"[0-9a-f]{40,64}(-dirty)?")

type Evidence = dict[str, Any]
type Check = Callable[[Any], bool]


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_text_or_none(value: object) -> bool:
    return value is None or is_text(value)


def is_flag(value: object) -> bool:
    return isinstance(value, bool)


def is_count(value: object) -> bool:
    return isinstance(value, int) and not is_flag(value) and value >= 0


def is_table(value: object) -> bool:
    return isinstance(value, dict)


def is_list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def is_table_of(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def is_commit(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, str) and COMMIT.fullmatch(value) is not None


def is_time(value: object) -> bool:
    """Return whether a value is a time with its zone."""
    try:
        return datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False


def is_release(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return value == MAIN or bool(parse_version(value))
    except UnreadableError:
        return False


def is_control(value: object) -> bool:
    return isinstance(value, dict) and all(
        check(value.get(name)) for name, check in CONTROL.items()
    )


CONTROL: dict[str, Check] = {
    "id": is_text,
    "level": lambda value: value is None or (is_count(value) and 1 <= value <= 3),
    "state": lambda value: value in STATES,
    "tests": is_table_of(is_text),
}
# What the page reads.
FORMS: dict[str, Check] = {
    "project": is_text,
    "package": is_text,
    "package_sha256": is_text,
    "upstream_release": is_release,
    "fixes": is_list_of(is_text),
    "commit": is_commit,
    "time": is_time,
    "ci_run": is_text_or_none,
    "complete": is_flag,
    "exit_status": is_count,
    "result": lambda value: value in RESULTS,
    "totals": is_table_of(is_count),
    "failed": is_list_of(is_text),
    "did_not_run": is_table,
    "left_out": is_table,
    "exempt": is_table,
    "guard": is_table,
    "accepted": is_table_of(is_count),
    "problems": is_list_of(is_text),
    "controls": is_list_of(is_control),
}


def check_form(evidence: object) -> Evidence:
    """Return evidence in the present form; raise UnreadableError for another one."""
    if not isinstance(evidence, dict):
        raise UnreadableError("it is no evidence")
    version = evidence.get("schema_version")
    if version != SCHEMA or not is_count(version):
        raise UnreadableError(
            f"its evidence has the form {version}, and this program reads {SCHEMA}:"
            " take the same release for both"
        )
    for name, check in FORMS.items():
        if not check(evidence.get(name)):
            raise UnreadableError(f"`{name}` has another form")
    return evidence


def find_contradictions(evidence: Evidence) -> Iterator[str]:
    """Yield where the parts of evidence say different things."""
    outcomes: dict[str, str] = {}
    for control in evidence["controls"]:
        outcomes |= control["tests"]
    yield from find_false_totals(evidence, list(outcomes.values()))
    failed = {test for test, outcome in outcomes.items() if outcome in FAILURES}
    for test in sorted(failed.difference(evidence["failed"])):
        yield f"{test} failed, and is not among the failed tests"
    if evidence["complete"] and evidence["did_not_run"]:
        yield "all tests ran, and some did not"
    yield from find_false_green(evidence)


def find_false_totals(evidence: Evidence, outcomes: list[str]) -> Iterator[str]:
    """Yield which totals are not those of the named tests."""
    totals = evidence["totals"]
    named = len(evidence["failed"])
    failures = sum(totals.get(name, 0) for name in FAILURES)
    if failures < named or (failures and not named):
        yield f"it counts {failures} failures, and names {named}"
    passed = outcomes.count("passed")
    counted = totals.get("passed", 0) + totals.get("xpassed", 0)
    if counted < passed:
        yield f"it counts {counted} passed tests, and names {passed}"


def find_false_green(evidence: Evidence) -> Iterator[str]:
    """Yield why a run cannot be green that says so."""
    if evidence["result"] != "green":
        return
    if evidence["exit_status"]:
        yield f"it is green, with the exit status {evidence['exit_status']}"
    if evidence["failed"]:
        yield "it is green, with a failed test"
    states = {control["state"] for control in evidence["controls"]}
    if "red" in states:
        yield "it is green, with a red control"
    if evidence["complete"] and ("not shown" in states or evidence["problems"]):
        yield "it is green, with a control that is not shown or a problem"
