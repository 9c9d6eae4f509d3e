"""The section that a run prints at its end."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from secure_django.guard.accepted import FILE, Accepted
from secure_django.guard.merging import Part, Weakness, ranges, steps_of
from secure_django.guard.results import Records, Results

type FindPlace = Callable[[str], object]

SHOWN_ROUTES = 3  # of a list: guard.json has all
MISSING_VALUE = re.compile(r"objects\(\) of \S+ returns no .+(?= for /)")


def heading(results: Results) -> str:
    is_known = results.accepted or results.hidden
    adjective = "new " if is_known else ""
    number = len(results.new)
    found = counted(number, f"{adjective}weakness", f"{adjective}weaknesses")
    return f"The guard found {found}"


def counted(number: int, one: str, several: str) -> str:
    """Return a number with its noun."""
    if number == 0:
        return f"no {one}"
    return f"{number} {one if number == 1 else several}"


def summarize(results: Results, find_place: FindPlace) -> Iterator[str]:
    """Yield the lines about the new weaknesses, and about what to do."""
    title = ""
    missing = pages_by_missing_value(results.new)
    for number, weakness in enumerate(results.new, 1):
        if weakness.severity.title != title:
            title = weakness.severity.title
            yield f"{title[0].upper()}{title[1:]}:"
        pages = missing.get(missing_value(weakness), {})
        if len(pages) < 2:
            yield from lines_about(number, weakness, find_place)
        elif number == min(pages):
            yield line_about_missing_value(missing_value(weakness), pages)
    yield from lines_to_do(results.new)


def missing_value(weakness: Weakness) -> str:
    """Return which value of a URL `objects` does not return, or nothing."""
    match = MISSING_VALUE.match(weakness.worst.sentence.text)
    return match[0] if match else ""


def pages_by_missing_value(weaknesses: list[Weakness]) -> dict[str, dict[int, str]]:
    """Return the pages that lack the same value, by the numbers of weaknesses."""
    pages: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for number, weakness in enumerate(weaknesses, 1):
        value = missing_value(weakness)
        if value:
            pages[value][number] = weakness.route
    return dict(pages)


def line_about_missing_value(value: str, pages: dict[int, str]) -> str:
    numbers = ranges(pages)
    routes = shortened([*pages.values()])
    return f"{numbers:>3}. {value} for {len(pages)} pages: {routes}"


def shortened(routes: list[str]) -> str:
    """Return the first routes, and how many more there are."""
    text = ", ".join(routes[:SHOWN_ROUTES])
    number = len(routes) - SHOWN_ROUTES
    return f"{text} and {number} more" if number > 0 else text


def lines_about(
    number: int, weakness: Weakness, find_place: FindPlace
) -> Iterator[str]:
    """Yield where a weakness is and for whom, and each of its sentences."""
    people = f"({', '.join(weakness.people)})" if weakness.people else ""
    requests = f"by {', '.join(weakness.requests)}" if weakness.requests else ""
    place = str(find_place(weakness.route)) if weakness.route else ""
    words = [f"{number:>3}.", place, weakness.route, people, requests]
    yield " ".join(filter(None, words))
    if weakness.further_routes:
        yield f"     also {shortened(weakness.further_routes)}"
    for part in weakness.parts_of_any_route:
        yield f"     {line_of_part(part, weakness)}"


def line_of_part(part: Part, weakness: Weakness) -> str:
    """Return what a part says. It names its people if they are not all."""
    sentence = part.sentence
    text = f"once {sentence.condition}, " if sentence.condition else ""
    people = "" if sorted(part.people) == weakness.people else names(part.people)
    return f"{text}{sentence.what}{people}"


def names(people: set[str]) -> str:
    return f" ({', '.join(sorted(people))})" if people else ""


def lines_to_do(weaknesses: list[Weakness]) -> Iterator[str]:
    """Yield each step once, with the numbers of the weaknesses that it is for."""
    steps = steps_of(weaknesses)
    if steps:
        yield ""
        yield "What to do:"
    for step, numbers in steps.items():
        yield f"  {ranges(numbers)}: {step}"


def lines_left_out(left_out: Iterable[str]) -> Iterator[str]:
    names_left_out = sorted(left_out)
    if names_left_out:
        number = len(names_left_out)
        yield f"{number} left out by pyproject.toml: {', '.join(names_left_out)}"


def counts(records: Records, results: Results, accepted: Accepted) -> Iterator[str]:
    """Yield what was asked, and how much is accepted and hidden."""
    asked = records.asked()
    pages = {key.route for key in asked}
    number = counted(asked.total(), "request", "requests")
    yield f"{number} to {counted(len(pages), 'page', 'pages')}"
    known = len(results.accepted)
    if accepted.is_everything and records.is_complete:
        yield f"{counted(known, 'weakness is', 'weaknesses are')} written to {FILE}"
    elif known:
        yield f"{counted(known, 'weakness is', 'weaknesses are')} accepted in {FILE}"
    for entry, weaknesses in results.hidden.items():
        hidden = counted(len(weaknesses), "weakness", "weaknesses")
        yield f"{entry} hides {hidden}"
        if entry.startswith("deleted_with "):  # what people lose, and why
            yield from texts_of(weaknesses)


def texts_of(weaknesses: Iterable[Weakness]) -> Iterator[str]:
    for weakness in weaknesses:
        yield from (f"  {part.sentence.text}" for part in weakness.parts)
