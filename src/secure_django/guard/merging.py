"""One weakness for each place: its sentences, the people, and the requests."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from secure_django.guard.accepted import Accepted, Lines, write_line
from secure_django.guard.record import Found
from secure_django.guard.remedies import remedies_of
from secure_django.guard.sentences import (
    ORDER,
    Sentence,
    Severity,
    function_to_blame,
    is_consequence,
    parse,
    severity_of,
    topic,
)


class Part:
    """One sentence, whatever the method, and all people behind it."""

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        self.people: set[str] = set()
        self.requests: set[str] = set()
        self.steps: dict[str, None] = {}  # in their order

    def __str__(self) -> str:
        return write_line(self.sentence.text, self.people)

    @property
    def severity(self) -> Severity:
        return severity_of(self.sentence.what)

    @property
    def rank(self) -> tuple[int, bool, bool, str]:
        sentence = self.sentence
        return (
            ORDER.index(self.severity),
            is_consequence(sentence.what),
            bool(sentence.condition),
            sentence.text,
        )

    @property
    def saying(self) -> tuple[str, str]:
        """Return what it says, whatever the page."""
        return self.sentence.condition, self.sentence.what

    def add(self, found: Found, requests: Iterable[str]) -> None:
        self.people.update(found.people)
        self.requests.update(requests)
        self.steps |= dict.fromkeys(found.steps)

    def only_for(self, people: set[str]) -> "Part":
        """Return the same for some of the people."""
        part = Part(self.sentence)
        part.people = people - {""}
        part.requests = self.requests
        part.steps = self.steps
        return part


class Parts:
    """The sentences of all tests."""

    def __init__(self) -> None:
        self.by_text: dict[str, Part] = {}

    def add(self, found: Found) -> None:
        sentence = parse(found.sentence)
        part = self.by_text.setdefault(sentence.text, Part(sentence))
        part.add(found, sentence.requests)

    def lines(self) -> Lines:
        """Return the sentences as guard_accepted.txt has them."""
        return {text: part.people for text, part in self.by_text.items()}

    def split(self, accepted: Accepted) -> tuple[list[Part], list[Part]]:
        """Return the parts that are new, and those that are accepted."""
        new: list[Part] = []
        known: list[Part] = []
        for text, part in self.by_text.items():
            people = part.people or {""}
            new_people = accepted.new_people(text, people)
            if new_people:
                new.append(part.only_for(new_people))
            if new_people != people:
                known.append(part.only_for(people - new_people))
        return new, known


class Weakness:
    """The sentences that have one cause, at one page or several: the worst first."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = sorted(parts, key=lambda part: part.rank)

    @property
    def worst(self) -> Part:
        return self.parts[0]

    @property
    def route(self) -> str:
        return self.worst.sentence.route

    @property
    def routes(self) -> list[str]:
        """Return all routes, of which `route` is the first."""
        routes = dict.fromkeys(part.sentence.route for part in self.parts)
        return [*filter(None, routes)]

    @property
    def further_routes(self) -> list[str]:
        return self.routes[1:]

    @property
    def severity(self) -> Severity:
        return self.worst.severity

    @property
    def rank(self) -> tuple[int, bool, bool, str, str]:
        """Return a key that sorts weaknesses.

        What is so now comes before what a switch would do, and what anybody gets
        before what needs a log-in.
        """
        return (
            ORDER.index(self.severity),
            bool(self.worst.sentence.condition),
            "anonym" not in self.people,
            self.route,
            self.worst.sentence.text,
        )

    @property
    def parts_of_any_route(self) -> list[Part]:
        """Return one part for what it says of several routes, with all people."""
        parts: dict[tuple[str, str], Part] = {}
        for part in self.parts:
            first = parts.setdefault(part.saying, part.only_for(set()))
            first.people |= part.people
        return list(parts.values())

    @property
    def people(self) -> list[str]:
        return sorted(set().union(*(part.people for part in self.parts)))

    @property
    def requests(self) -> list[str]:
        return sorted(set().union(*(part.requests for part in self.parts)))

    @property
    def steps(self) -> list[str]:
        """Return what to do about the causes, each step once."""
        causes = [part for part in self.parts if not is_consequence(part.sentence.what)]
        parts = causes or self.parts
        steps = (
            step
            for part in parts
            for step in (*remedies_of(part.sentence.what), *part.steps)
        )
        return list(dict.fromkeys(steps))

    def values(self) -> dict[str, Any]:
        """Return it as guard.json has it."""
        return {
            "severity": self.severity.name,
            "title": self.severity.title,
            "route": self.route,
            "routes": self.routes,
            "people": self.people,
            "requests": self.requests,
            "sentences": [str(part) for part in self.parts],
            "what_to_do": self.steps,
        }


def steps_of(weaknesses: Iterable[Weakness]) -> dict[str, list[int]]:
    """Return each step once, with the numbers of the weaknesses that it is for."""
    steps: defaultdict[str, list[int]] = defaultdict(list)
    for number, weakness in enumerate(weaknesses, 1):
        for step in weakness.steps:
            steps[step].append(number)
    return dict(steps)


def ranges(numbers: Iterable[int]) -> str:
    """Return rising numbers as one writes them: 3-17, 20."""
    runs: list[list[int]] = []
    for number in numbers:
        if not runs or number != runs[-1][-1] + 1:
            runs.append([])
        runs[-1].append(number)
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    return ", ".join(texts)


def merge(parts: Iterable[Part]) -> list[Weakness]:
    """Return the weaknesses that parts are about, the worst first."""
    by_place: defaultdict[str, list[Part]] = defaultdict(list)
    for part in parts:
        # One repair of a function is for all pages that lead to it.
        function = function_to_blame(part.sentence.what)
        by_place[function or part.sentence.route].append(part)
    weaknesses = merge_routes(
        Weakness(group) for place in by_place.values() for group in groups_of(place)
    )
    return sorted(weaknesses, key=lambda weakness: weakness.rank)


def merge_routes(weaknesses: Iterable[Weakness]) -> Iterator[Weakness]:
    """Yield one weakness for what is the same at several routes of one view."""
    # Here, since the access table is read as a module is imported.
    from secure_django.guard.places import view_at

    by_view: defaultdict[Hashable, list[Part]] = defaultdict(list)
    for weakness in weaknesses:
        sayings = frozenset(part.saying for part in weakness.parts)
        by_view[view_at(weakness.route), sayings] += weakness.parts
    yield from map(Weakness, by_view.values())


def groups_of(parts: list[Part]) -> Iterator[list[Part]]:
    """Yield the parts of each weakness of a page.

    That a page is open is a consequence of the worst access to it.
    """
    consequences = [part for part in parts if is_consequence(part.sentence.what)]
    groups: defaultdict[str, list[Part]] = defaultdict(list)
    for part in sorted(parts, key=lambda part: part.rank):
        if part not in consequences:
            groups[topic(part.sentence)].append(part)
    worst = next((name for name in groups if name.startswith("access to ")), "open")
    groups[worst] += consequences
    yield from filter(None, groups.values())
