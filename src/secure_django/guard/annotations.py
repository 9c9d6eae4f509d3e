"""What GitHub and GitLab show beside the code of a view."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from secure_django.guard.merging import Weakness
from secure_django.guard.places import Place

type FindPlace = Callable[[str], Place]

type Escapes = dict[str | int, str | int | None]

IN_TEXT: Escapes = {"%": "%25", "\r": "%0D", "\n": "%0A"}
IN_PROPERTY: Escapes = IN_TEXT | {":": "%3A", ",": "%2C"}


def annotations(weaknesses: list[Weakness], find_place: FindPlace) -> Iterator[str]:
    """Yield the commands by which GitHub Actions shows errors, the worst first."""
    for weakness in weaknesses:
        place = find_place(weakness.route)
        properties = {
            "file": place.file,
            "line": str(place.line),
            "title": f"secure-django: {weakness.severity.title}",
        }
        texts = [
            f"{name}={escape(value, IN_PROPERTY)}" for name, value in properties.items()
        ]
        yield f"::error {','.join(texts)}::{escape(describe(weakness), IN_TEXT)}"


def escape(text: str, characters: Escapes) -> str:
    return text.translate(str.maketrans(characters))


def describe(weakness: Weakness) -> str:
    """Return the sentences of a weakness, its further routes, and what to do."""
    sentences = [str(part) for part in weakness.parts_of_any_route]
    routes = ", ".join(weakness.further_routes)
    also = [f"also {routes}"] if routes else []
    return "\n".join([*sentences, *also, *weakness.steps])


def code_quality(
    weaknesses: list[Weakness], find_place: FindPlace
) -> list[dict[str, Any]]:
    """Return the issues of a report in GitLab's format Code Quality."""
    return [code_quality_issue(weakness, find_place) for weakness in weaknesses]


def code_quality_issue(weakness: Weakness, find_place: FindPlace) -> dict[str, Any]:
    place = find_place(weakness.route)
    text = weakness.worst.sentence.text
    return {
        "description": "; ".join(str(part) for part in weakness.parts),
        "check_name": f"secure-django-{weakness.severity.name}",
        "fingerprint": sha256(text.encode()).hexdigest(),
        "severity": weakness.severity.level,
        "location": {"path": place.file, "lines": {"begin": place.line}},
    }
