"""Which advisories of secure-django are about a version of it.

advisories.json of the repository has them: a list of records in OSV's format
(https://ossf.github.io/osv-schema/). The module needs only the standard library.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

PACKAGE = "secure-django"
ECOSYSTEM = "PyPI"
RANGES = {"ECOSYSTEM", "SEMVER"}
NUMBER = re.compile(r"\d+(?:\.\d+)*")
# Events of a range, with whether a version is affected from there on.
EVENTS = {"introduced": True, "fixed": False}

type Record = dict[str, Any]
type Version = tuple[int, ...]


class Advisory(NamedTuple):
    """An advisory about a version."""

    name: str  # its id
    summary: str
    fixed: str  # the first release with the fix; empty if there is none yet
    aliases: list[str]


def parse_version(text: str) -> Version:
    """Return the numbers of a release; the local part, as in 1.0.0+vendored, is cut.

    Raise ValueError for anything but numbers and dots, such as a pre-release.
    """
    number = text.partition("+")[0]
    if not NUMBER.fullmatch(number):
        message = f"{text} is no version such as 1.0.1"
        raise ValueError(message)
    return tuple(map(int, re.sub(r"(\.0)+$", "", number).split(".")))


def read_advisories(text: str) -> list[Record]:
    """Return the records of advisories.json; raise ValueError if it is no such file."""
    records = json.loads(text)
    if not isinstance(records, list):
        message = "it is no list of advisories"
        raise ValueError(message)
    for record in records:
        check_record(record)
    return records


def check_record(record: Record) -> None:
    """Raise ValueError unless a record can be compared with any version."""
    if not isinstance(record, dict) or not record.get("id"):
        message = "an advisory has no id"
        raise ValueError(message)
    try:
        affected = list(find_ranges(record))
        for events in affected:
            for event in events:
                read_event(event)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"{record['id']} cannot be read: {error}"
        raise ValueError(message) from error
    if not affected:
        message = f"{record['id']} names no range of {PACKAGE}"
        raise ValueError(message)


def find_ranges(record: Record) -> Iterator[list[dict[str, str]]]:
    """Yield the events of each range of this package."""
    for affected in record["affected"]:
        package = affected["package"]
        if (package["ecosystem"], package["name"]) != (ECOSYSTEM, PACKAGE):
            continue
        for listed in affected["ranges"]:
            if listed["type"] not in RANGES:
                message = f"a range of the type {listed['type']}"
                raise ValueError(message)
            yield listed["events"]


def read_event(event: dict[str, str]) -> tuple[Version, bool]:
    """Return the version of an event, and whether it is affected from there on."""
    [(kind, version)] = event.items()
    if kind not in EVENTS:
        message = f"an event of the kind {kind}"
        raise ValueError(message)
    return parse_version(version), EVENTS[kind]


def is_affected(events: list[dict[str, str]], version: Version) -> bool:
    """Return whether a range covers a version."""
    past = [event for event in map(read_event, events) if event[0] <= version]
    return bool(past) and max(past)[1]


def find_fix(events: list[dict[str, str]], version: Version) -> str:
    """Return the first release after a version that has the fix, or nothing."""
    fixes = [event["fixed"] for event in events if "fixed" in event]
    later = [fix for fix in fixes if parse_version(fix) > version]
    return min(later, key=parse_version, default="")


def find_advisories(records: list[Record], version: str) -> list[Advisory]:
    """Return the advisories that are about a version, without withdrawn ones.

    `records` come from read_advisories. Raise ValueError if the version is no release.
    """
    number = parse_version(version)
    found = []
    for record in records:
        if record.get("withdrawn"):
            continue
        for events in find_ranges(record):
            if is_affected(events, number):
                summary = str(record.get("summary", ""))
                fixed = find_fix(events, number)
                aliases = list(record.get("aliases", []))
                found.append(Advisory(record["id"], summary, fixed, aliases))
    return found
