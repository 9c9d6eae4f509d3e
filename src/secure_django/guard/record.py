"""What the present test asked and found, until it hands it to the run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from secure_django.guard.accepted import NOTHING, Accepted

# The name of the property of a report: pytest-xdist brings it to the run.
PROPERTY = "secure_django_guard"


class Found(NamedTuple):
    """A sentence, the people behind it, and which entry of a table hides it."""

    sentence: str
    people: list[str]
    hidden_by: str = ""
    steps: Sequence[str] = ()  # what one can do


class Asked(NamedTuple):
    """A kind of requests."""

    route: str
    person: str
    method: str


class Record:
    """What a test asked and found."""

    def __init__(self, accepted: Accepted) -> None:
        self.accepted = accepted
        self.found: list[Found] = []
        self.asked: Counter[Asked] = Counter()

    def values(self) -> dict[str, Any]:
        """Return it as values that pytest-xdist brings from process to process."""
        return {
            "found": [list(found) for found in self.found],
            "asked": [[*asked, number] for asked, number in self.asked.items()],
        }


# The last one is that of the present test. The first is for tests of other kinds.
RECORDS = [Record(NOTHING)]


def present_record() -> Record:
    return RECORDS[-1]


@contextmanager
def recording(accepted: Accepted) -> Iterator[Record]:
    """Yield what a test asks and finds."""
    record = Record(accepted)
    RECORDS.append(record)
    try:
        yield record
    finally:
        RECORDS.remove(record)
