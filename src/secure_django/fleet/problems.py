"""What an auditor would ask about the evidence of a project."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from secure_django.advisories import (
    MAIN,
    Contents,
    Record,
    find_advisories,
    parse_version,
)
from secure_django.fleet.forms import Evidence, find_contradictions
from secure_django.untrusted import UnreadableError

SOURCE = "src/secure_django/"
# How far the clock of a runner may be ahead.
AHEAD = timedelta(hours=1)


class Kind(IntEnum):
    """The kind of a problem; the page begins with the first."""

    FIX = 1  # a vulnerability with an advisory
    EDITED = 2  # the package is not the release's
    RED = 3  # a test or a control failed, or the evidence is false
    UNKNOWN = 4  # the evidence does not show what was released
    RELEASE = 5  # another release is expected
    DECISION = 6  # what the team left out, with its reason


class Problem(NamedTuple):
    """One sentence about a project, and its kind."""

    kind: Kind
    text: str


class Expected(NamedTuple):
    """What the evidence is compared with."""

    now: datetime
    since: datetime
    release: str  # the oldest of the template that is fine; empty for any
    advisories: list[Record]
    digests: dict[str, set[str]]  # of the package's files, by releases
    required: set[str]  # the ids of controls


def digest_list(hashes: dict[str, str]) -> str:
    """Return one hash for the hashes of files, by their names."""
    lines = [f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def digests_of_release(hashes: dict[str, str]) -> set[str]:
    """Return the hash of all files in vendor/, and that of an installed package."""
    installed = {
        name.removeprefix(SOURCE): sha256
        for name, sha256 in hashes.items()
        if name.startswith(SOURCE)
    }
    return {digest_list(hashes), digest_list(installed)}


def find_problems(evidence: Evidence, expected: Expected) -> list[Problem]:
    """Return the problems of a project whose evidence has the present form."""
    return [
        *find_version_problems(evidence, expected),
        *find_red(evidence, expected.required),
        *find_false(evidence, expected.now),
        *find_unknown(evidence, expected.since),
        *find_decisions(evidence),
    ]


def find_version_problems(evidence: Evidence, expected: Expected) -> Iterator[Problem]:
    """Yield what is wrong with the package that the tests ran with."""
    release = evidence["upstream_release"]
    contents = Contents(release, set(evidence["fixes"]))
    for advisory in find_advisories(expected.advisories, contents):
        fixed = advisory.fixed or "no release"
        text = f"{advisory.name} is open: {advisory.summary}; fixed in {fixed}"
        yield Problem(Kind.FIX, text)
    if expected.release and is_older(release, expected.release):
        has = "code between two releases" if release == MAIN else release
        yield Problem(Kind.RELEASE, f"has {has}, and {expected.release} is expected")
    version = evidence["package"]
    try:
        parse_version(version)
    except UnreadableError as error:
        text = f"{error}, so no list of hashes can be compared"
        yield Problem(Kind.UNKNOWN, text)
        return
    if not expected.digests:
        return
    released = expected.digests.get(version.partition("+")[0])
    if released is None:
        text = f"no list of hashes was given for {version}"
        yield Problem(Kind.UNKNOWN, text)
    elif evidence["package_sha256"] not in released:
        text = f"its copy of secure-django is not the release's: {version}"
        yield Problem(Kind.EDITED, text)


def is_older(release: str, expected: str) -> bool:
    """Return whether a copy may lack something of an expected release."""
    return release == MAIN or parse_version(release) < parse_version(expected)


def find_red(evidence: Evidence, required: set[str]) -> Iterator[Problem]:
    """Yield the controls and the tests that failed, and missing controls."""
    texts = [
        *find_red_controls(evidence),
        *find_missing_controls(evidence, required),
        *find_failed_tests(evidence),
    ]
    if not texts and evidence["complete"] and evidence["result"] != "green":
        texts.append("the run is red")
    for text in texts:
        yield Problem(Kind.RED, text)


def find_red_controls(evidence: Evidence) -> Iterator[str]:
    """Yield the controls that failed. A part of the tests shows only some of them."""
    bad = {"red", "not shown"} if evidence["complete"] else {"red"}
    for control in evidence["controls"]:
        if control["state"] in bad:
            yield f"{control['id']} {control['state']}"


def find_missing_controls(evidence: Evidence, required: set[str]) -> Iterator[str]:
    """Yield the requirements of other projects that this one does not list."""
    listed = {control["id"] for control in evidence["controls"]}
    for control in sorted(required - listed):
        yield f"{control} not listed"


def find_failed_tests(evidence: Evidence) -> Iterator[str]:
    """Yield the failed tests that no control names."""
    marked = {test for control in evidence["controls"] for test in control["tests"]}
    for test in evidence["failed"]:
        if test not in marked:
            yield f"{test} failed, which shows no control"


def find_false(evidence: Evidence, now: datetime) -> Iterator[Problem]:
    """Yield why the evidence cannot be true."""
    for text in find_contradictions(evidence):
        yield Problem(Kind.RED, f"it contradicts itself: {text}")
    time = evidence["time"]
    if datetime.fromisoformat(time) > now + AHEAD:
        yield Problem(Kind.RED, f"its clock is ahead: {time[:10]}")


def find_unknown(evidence: Evidence, since: datetime) -> Iterator[Problem]:
    """Yield why the evidence may not be about what is released."""
    if not evidence["complete"]:
        text = "some of the tests ran, not all: run `uv run poe test`"
        yield Problem(Kind.UNKNOWN, text)
    commit = evidence["commit"]
    if not commit:
        yield Problem(Kind.UNKNOWN, "it names no commit")
    elif commit.endswith("-dirty"):
        yield Problem(Kind.UNKNOWN, "files were changed after the commit")
    if datetime.fromisoformat(evidence["time"]) < since:
        yield Problem(Kind.UNKNOWN, f"older than {since:%Y-%m-%d}")


def find_decisions(evidence: Evidence) -> Iterator[Problem]:
    """Yield what the team leaves out or accepts."""
    for name, reason in evidence["left_out"].items():
        yield Problem(Kind.DECISION, f"{name} is left out: {reason}")
    for name, reason in evidence["exempt"].items():
        yield Problem(Kind.DECISION, f"{name} is exempt: {reason}")
    for name, value in evidence["guard"].items():
        yield Problem(Kind.DECISION, f"the guard has {name} = {value}")
    for file, count in evidence["accepted"].items():
        if count:
            text = f"{file} accepts {count} finding{'s' if count > 1 else ''}"
            yield Problem(Kind.DECISION, text)
