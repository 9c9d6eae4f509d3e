"""The findings that a project has accepted: `guard_accepted.txt` beside pyproject.toml.

A line is a sentence with the people behind it. After ` # ` may stand a reason.

    /notes/<pk>/ shows Note.text (other, staff) # until the new view is there
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from secure_django.guard.sentences import parse

FILE = "guard_accepted.txt"
HEADING = """\
# What the guard has found and this project has accepted so far. All else is red.
# `pytest --guard-accept` writes this file. A reason after " # " stays in its line.
"""
PEOPLE = re.compile(r"^(.+?)(?: \((\w+(?:, \w+)*)\))?$")

type Lines = dict[str, set[str]]  # sentences, and the people behind each


class Accepted(NamedTuple):
    """The accepted sentences, each with its people and its reason."""

    people: Lines
    reasons: dict[str, str]
    is_everything: bool = False  # while today's findings are written

    def covers(self, text: str, person: str) -> bool:
        """Return whether a finding about a person, or about nobody, is accepted."""
        if self.is_everything:
            return True
        if text not in self.people:
            return False
        people = self.people[text]
        return person in people if person else not people

    def new_people(self, text: str, people: Iterable[str]) -> set[str]:
        """Return the people of a finding for whom it is not accepted."""
        return {person for person in people if not self.covers(text, person)}


NOTHING = Accepted({}, {})


def read_accepted(root: Path) -> Accepted:
    """Return what the file of a project has, or nothing if there is none."""
    file = root / FILE
    text = file.read_text(encoding="utf-8-sig") if file.is_file() else ""
    accepted = Accepted({}, {})
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            add_line(accepted, line)
    return accepted


def add_line(accepted: Accepted, line: str) -> None:
    sentence, _, reason = line.partition(" # ")
    text, people = parse_line(sentence.strip())
    accepted.people.setdefault(text, set()).update(people)
    if reason.strip():
        accepted.reasons[text] = reason.strip()


def parse_line(line: str) -> tuple[str, set[str]]:
    """Return a sentence, and the people in parentheses at its end."""
    match = PEOPLE.match(line)
    if not match:
        return line, set()
    people = set(match[2].split(", ")) if match[2] else set()
    return parse(match[1]).text, people


def write_line(text: str, people: Iterable[str]) -> str:
    """Return a sentence with the people behind it."""
    names = ", ".join(sorted(set(people) - {""}))
    return f"{text} ({names})" if names else text


def write_accepted(root: Path, found: Lines, reasons: dict[str, str]) -> None:
    """Write today's findings, with the reasons that the file had."""
    lines = [
        with_reason(write_line(text, people), reasons.get(text, ""))
        for text, people in sorted(found.items())
    ]
    text = "".join(f"{line}\n" for line in lines)
    (root / FILE).write_text(HEADING + text, encoding="utf-8", newline="\n")


def with_reason(line: str, reason: str) -> str:
    return f"{line} # {reason}" if reason else line


def stale_lines(accepted: Accepted, found: Lines) -> Iterator[str]:
    """Yield what to do about each accepted finding that no longer occurs."""
    for text, people in sorted(accepted.people.items()):
        gone = people - found.get(text, set())
        if text not in found or (people and gone == people):
            line = write_line(text, people)
            yield f"{FILE}: {line} no longer occurs: delete the line"
        elif gone:
            names = ", ".join(sorted(gone))
            yield f"{FILE}: {text} no longer occurs for {names}: delete the name"
