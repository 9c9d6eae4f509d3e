"""Which advisories of secure-django are about a copy of the package.

advisories.json of a repository has them: a list of records in OSV's format
(https://ossf.github.io/osv-schema/). A fork numbers its releases as it likes, so the
number of a copy does not say what it has. The folder `fixes` does: the commit of a fix
adds a file there, which is named by the advisory, and release.txt has the release of
UPSTREAM that the copy comes from. Both arrive with a merge or a cherry-pick.

The module needs only the standard library.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from secure_django.untrusted import UnreadableError, parse_json, printable, read_file

# A fork does not change it: its projects ask there too.
UPSTREAM = "https://github.com/org/secure-django"
PACKAGE = "secure-django"
ECOSYSTEM = "PyPI"
RANGES = {"ECOSYSTEM", "SEMVER"}
NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,9}")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
# Events of a range, with whether a release is affected from there on.
EVENTS = {"introduced": True, "fixed": False}

FIXES = Path(__file__).parent / "fixes"
RELEASE = "release.txt"
# What release.txt says between two releases: code of any later one may be there.
MAIN = "main"

type Record = dict[str, Any]
type Version = tuple[int, ...]


class Contents(NamedTuple):
    """What a copy of the package has of UPSTREAM."""

    release: str  # or MAIN
    fixes: Collection[str]  # the ids of advisories


class Advisory(NamedTuple):
    """An advisory about a copy of the package."""

    name: str  # its id
    summary: str
    fixed: str  # the first release with the fix; empty if there is none yet
    aliases: list[str]


def parse_version(text: str) -> Version:
    """Return the numbers of a release; the local part, as in 1.0.0+vendored, is cut.

    Raise UnreadableError for anything but numbers and dots, such as a pre-release.
    """
    number = text.partition("+")[0]
    if not NUMBER.fullmatch(number):
        raise UnreadableError(f"{printable(text, 30)} is no version such as 1.0.1")
    return tuple(map(int, re.sub(r"(\.0+)+$", "", number).split(".")))


def read_contents(folder: Path = FIXES) -> Contents:
    """Return what the installed copy has, or that with another folder `fixes`."""
    release = read_file(folder / RELEASE).strip()
    if release != MAIN:
        parse_version(release)
    fixes = {path.stem for path in folder.glob("*.txt") if path.name != RELEASE}
    return Contents(release, fixes)


def read_advisories(text: str) -> list[Record]:
    """Return the records of advisories.json; raise UnreadableError if it has others."""
    records = parse_json(text)
    if not isinstance(records, list):
        raise UnreadableError("it is no list of advisories")
    for record in records:
        check_record(record)
    return records


def check_record(record: Record) -> None:
    """Raise UnreadableError unless a record can be compared with any release."""
    if not isinstance(record, dict) or not is_id(record.get("id")):
        raise UnreadableError("an advisory has no id")
    try:
        check_texts(record)
        affected = list(find_ranges(record))
        for events in affected:
            check_events(events)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"{record['id']} cannot be read: {printable(error)}"
        raise UnreadableError(message) from error
    if not affected:
        raise UnreadableError(f"{record['id']} names no range of {PACKAGE}")


def is_id(name: object) -> bool:
    return isinstance(name, str) and ID.fullmatch(name) is not None


def check_texts(record: Record) -> None:
    """Raise UnreadableError if a field beside the ranges has another form."""
    for name in ("summary", "withdrawn"):
        if not isinstance(record.get(name, ""), str):
            raise UnreadableError(f"its {name} is no text")
    aliases = record.get("aliases", [])
    if not isinstance(aliases, list) or not all(map(is_id, aliases)):
        raise UnreadableError("its aliases are no list of ids")


def find_ranges(record: Record) -> Iterator[list[dict[str, str]]]:
    """Yield the events of each range of this package.

    A range of commits says nothing about a copy, which has no history.
    """
    for affected in record["affected"]:
        package = affected["package"]
        if (package["ecosystem"], package["name"]) == (ECOSYSTEM, PACKAGE):
            ranges = [it for it in affected["ranges"] if it["type"] != "GIT"]
            yield from map(events_of, ranges)


def events_of(listed: dict[str, Any]) -> list[dict[str, str]]:
    """Return the events of a range of releases."""
    if listed["type"] not in RANGES:
        raise UnreadableError(f"a range of the type {listed['type']}")
    events: list[dict[str, str]] = listed["events"]
    return events


def check_events(events: list[dict[str, str]]) -> None:
    """Raise UnreadableError unless a range has a beginning."""
    if not isinstance(events, list):
        raise UnreadableError("its events are no list")
    if not any([read_event(event)[1] for event in events]):
        raise UnreadableError("a range without an event of the kind introduced")


def read_event(event: dict[str, str]) -> tuple[Version, bool]:
    """Return the release of an event, and whether it is affected from there on."""
    [(kind, version)] = event.items()
    if kind not in EVENTS:
        raise UnreadableError(f"an event of the kind {kind}")
    return parse_version(version), EVENTS[kind]


def is_introduced(events: list[dict[str, str]], release: str) -> bool:
    """Return whether a release of UPSTREAM may have the vulnerability of a range."""
    if release == MAIN:
        return True
    version = parse_version(release)
    return any(
        has_begun and number <= version for number, has_begun in map(read_event, events)
    )


def find_fix(events: list[dict[str, str]], release: str) -> str:
    """Return the first release after another one that has the fix, or nothing."""
    fixes = [event["fixed"] for event in events if "fixed" in event]
    if release == MAIN:
        return max(fixes, key=parse_version, default="")
    version = parse_version(release)
    later = [fix for fix in fixes if parse_version(fix) > version]
    return min(later, key=parse_version, default="")


def is_open(record: Record, contents: Contents) -> bool:
    """Return whether a copy has no fix of an advisory that was not withdrawn.

    Only the fix itself ends an advisory, never a number, which a fork may have used for
    another release.
    """
    names = {record["id"], *record.get("aliases", [])}
    return names.isdisjoint(contents.fixes) and not record.get("withdrawn")


def find_advisories(records: list[Record], contents: Contents) -> list[Advisory]:
    """Return the advisories about a copy; `records` come from read_advisories."""
    release = contents.release
    found = []
    for record in records:
        ranges = [it for it in find_ranges(record) if is_introduced(it, release)]
        if ranges and is_open(record, contents):
            fixes = (find_fix(events, release) for events in ranges)
            fixed = next(filter(None, fixes), "")
            summary = str(record.get("summary", ""))
            aliases = list(record.get("aliases", []))
            found.append(Advisory(record["id"], summary, fixed, aliases))
    return found
