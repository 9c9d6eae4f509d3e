"""What the number of a release says: semantic versioning over the kept names.

A removed name needs a new major number, and was deprecated for two minor releases. An
added one needs a new minor number. CHANGELOG.md names each.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from secure_django.deprecation import DEPRECATIONS, Deprecation
from tests.support.records import kept_names, present_version, recorded_names

MINOR_RELEASES = 2  # that warn before a removal
SECTION = re.compile(r"^## \S+, \S+\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class Change(NamedTuple):
    """The names of two releases, and what the changelog says of the later one."""

    releases: Sequence[str]  # the numbers of all earlier ones, the newest last
    version: str
    old: Sequence[str]  # names, each with its kind
    new: Sequence[str]
    section: str


def number(version: str) -> tuple[int, ...]:
    """Return the parts of a version."""
    return tuple(map(int, version.split(".")))


def bare(name: str) -> str:
    """Return a name without its kind, its module or its template."""
    return name.rpartition(" ")[2]


def version_problems(
    change: Change, deprecations: Sequence[Deprecation] = DEPRECATIONS
) -> list[str]:
    """Return a line for each name for which the number or the changelog is wrong."""
    removed = sorted(set(change.old) - set(change.new))
    added = sorted(set(change.new) - set(change.old))
    return [
        *removal_problems(change, removed, deprecations),
        *addition_problems(change, added),
        *unnamed(change, removed, "gone"),
        *unnamed(change, added, "new"),
    ]


def removal_problems(
    change: Change, removed: Sequence[str], deprecations: Sequence[Deprecation]
) -> Iterator[str]:
    """Yield what is missing for the removal of names."""
    major = number(change.releases[-1])[0]
    is_major = number(change.version)[0] > major
    listed = {f"{it.kind} {it.name}": it for it in deprecations}
    for name in removed:
        if not is_major:
            yield f"{name} is gone: that needs {major + 1}.0.0, or the name back."
        elif name not in listed:
            yield f"{name} is gone, but was not deprecated."
        else:
            since = listed[name].since
            minors = {number(it)[:2] for it in change.releases}
            warned = [minor for minor in minors if minor >= number(since)[:2]]
            if len(warned) < MINOR_RELEASES:
                yield f"{name} is gone, and {len(warned)} minor releases warned, not 2."


def addition_problems(change: Change, added: Sequence[str]) -> Iterator[str]:
    """Yield the names that a patch release adds."""
    major, minor, _ = number(change.releases[-1])
    for name in added:
        if number(change.version)[:2] == (major, minor):
            yield f"{name} is new: that needs {major}.{minor + 1}.0."


def unnamed(change: Change, names: Sequence[str], what: str) -> Iterator[str]:
    """Yield the names that the section of the changelog does not name."""
    for name in names:
        if not re.search(
            rf"(?<![\w-]){re.escape(bare(name))}(?![\w-])", change.section
        ):
            yield f"{name} is {what}: name {bare(name)} in CHANGELOG.md."


def problems_of(template: Path) -> list[str]:
    """Return the problems of the present state, beside the newest earlier release."""
    version = present_version(template)
    names = recorded_names(template)
    releases = sorted((it for it in names if number(it) < number(version)), key=number)
    if not releases:
        return []
    changelog = (template / "CHANGELOG.md").read_text(encoding="utf-8")
    section = SECTION.search(changelog)
    text = section[1] if section else ""
    old = names[releases[-1]]
    return version_problems(Change(releases, version, old, kept_names(template), text))
