"""What all tests of the guard have found and asked, each thing once."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from secure_django.guard.accepted import Accepted, Lines
from secure_django.guard.merging import Parts, Weakness, merge
from secure_django.guard.record import PROPERTY, Asked, Found

FOLDER = Path(__file__).parent
PREFIX = "secure_django/guard/"


class Records:
    """What the tests of the guard have handed to the run."""

    def __init__(self) -> None:
        self.by_test: dict[str, dict[str, Any]] = {}
        self.broken: set[str] = set()  # tests that ended by an error

    def add(self, report: pytest.TestReport) -> None:
        """Add what a test has handed over, and whether it ended by an error."""
        values = dict(report.user_properties).get(PROPERTY)
        if report.when == "call" and values is not None:
            self.by_test[report.nodeid] = json.loads(str(values))
        record = self.by_test.get(report.nodeid)
        is_by_finding = report.when == "call" and record and record["found"]
        if report.failed and PREFIX in report.nodeid and not is_by_finding:
            self.broken.add(report.nodeid)

    def add_error(self, report: pytest.CollectReport) -> None:
        """Add a module of the guard that cannot be read."""
        if report.failed and PREFIX in report.nodeid:
            self.broken.add(report.nodeid)

    @property
    def is_complete(self) -> bool:
        """Return whether each test of the guard has ended, and none by an error."""
        records = self.by_test.values()
        numbers = {record["collected"] for record in records}
        are_whole = all(record["is_whole"] for record in records)
        return are_whole and not self.broken and numbers == {len(records)}

    def asked(self) -> Counter[Asked]:
        """Return the number of requests of each kind."""
        asked: Counter[Asked] = Counter()
        for record in self.by_test.values():
            for route, person, method, number in record["asked"]:
                asked[Asked(route, person, method)] += number
        return asked

    def results(self, accepted: Accepted) -> "Results":
        parts = Parts()
        hidden: dict[str, Parts] = {}
        for _, record in sorted(self.by_test.items()):
            for values in record["found"]:
                found = Found(*values)
                parts_of_entry = hidden.setdefault(found.hidden_by, Parts())
                target = parts_of_entry if found.hidden_by else parts
                target.add(found)
        return Results(parts, hidden, accepted)


class Results:
    """The weaknesses: new ones, accepted ones, and those that tables hide."""

    def __init__(
        self, parts: Parts, hidden: dict[str, Parts], accepted: Accepted
    ) -> None:
        new_parts, accepted_parts = parts.split(accepted)
        self.lines: Lines = parts.lines()
        self.new: list[Weakness] = merge(new_parts)
        self.accepted: list[Weakness] = merge(accepted_parts)
        # By the entry that hides them.
        self.hidden: dict[str, list[Weakness]] = {
            entry: merge(parts_of_entry.by_text.values())
            for entry, parts_of_entry in sorted(hidden.items())
            if parts_of_entry.by_text
        }
