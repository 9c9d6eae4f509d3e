"""guard.html and guard.json: what was asked, found, accepted and left out.

They have no personal data: routes, names of people's columns, and sentences.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.template import Context, Engine

from secure_django.guard.accepted import Accepted
from secure_django.guard.access import INCLUDED, OTHERS, VIEWS, app_of
from secure_django.guard.annotations import code_quality
from secure_django.guard.config import RULES
from secure_django.guard.exemptions import entries_of_tables
from secure_django.guard.merging import Weakness, ranges, steps_of
from secure_django.guard.places import place_of
from secure_django.guard.results import FOLDER, Records, Results
from secure_django.guard.tables import CONFIG

SCHEMA_VERSION = 1
GITLAB_FILE = "gl-code-quality-report.json"
TEMPLATE = "report.html"


class Report:
    """What guard.json has. docs/guard.md describes its keys."""

    def __init__(
        self,
        records: Records,
        results: Results,
        accepted: Accepted,
        left_out: dict[str, Any],
        problems: list[str],
    ) -> None:
        self.records = records
        self.results = results
        self.accepted = accepted
        self.left_out = left_out
        self.problems = problems

    def values(self) -> dict[str, Any]:
        results = self.results
        is_green = not (results.new or self.problems or self.records.broken)
        return {
            "schema_version": SCHEMA_VERSION,
            "package": version("secure-django"),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "complete": self.records.is_complete,
            "result": "green" if is_green else "red",
            "people": ["owner", *OTHERS],
            "requests": self.requests(),
            "weaknesses": [*map(describe, results.new)],
            "accepted": [self.describe_accepted(it) for it in results.accepted],
            "hidden": self.hidden(),
            "left_out": self.left_out_values(),
            "broken_tests": sorted(self.records.broken),
            "problems": self.problems,
        }

    def requests(self) -> list[dict[str, Any]]:
        """Return the number of requests to each page, by person and method."""
        return [
            {**asked._asdict(), "number": number}
            for asked, number in sorted(self.records.asked().items())
        ]

    def describe_accepted(self, weakness: Weakness) -> dict[str, Any]:
        reasons = self.accepted.reasons
        texts = [part.sentence.text for part in weakness.parts]
        known = [reasons[text] for text in texts if text in reasons]
        return describe(weakness) | {"reasons": list(dict.fromkeys(known))}

    def hidden(self) -> list[dict[str, Any]]:
        """Return each entry of a table, with what it hides."""
        return [
            {
                "entry": entry,
                "reason": reason,
                "weaknesses": [*map(describe, self.results.hidden.get(entry, ()))],
            }
            for entry, reason in entries_of_tables().items()
        ]

    def left_out_values(self) -> dict[str, Any]:
        """Return what the project leaves out, and what it does not ask for."""
        rules = {name: RULES[name] for name in sorted(RULES.keys() - CONFIG.rules)}
        pages = sorted(VIEWS.keys() - INCLUDED.keys())
        return {"with_reason": self.left_out, "rules": rules, "pages": pages}


def describe(weakness: Weakness) -> dict[str, Any]:
    """Return a weakness with its app, and the file and line of its view."""
    place = place_of(weakness.route)
    app = app_of(weakness.route) if weakness.route in VIEWS else ""
    where = {"app": app, "file": place.file, "line": place.line}
    return weakness.values() | where


def write_report(report: Report, folder: Path) -> None:
    """Write the files for people, programs and GitLab."""
    values = report.values()
    folder.mkdir(parents=True, exist_ok=True)
    issues = code_quality(report.results.new, place_of)
    write(folder / "guard.json", to_json(values))
    write(folder / GITLAB_FILE, to_json(issues))
    write(folder / "guard.html", to_html(values, steps_of(report.results.new)))


def write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")


def to_json(values: Any) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def to_html(values: dict[str, Any], steps: dict[str, list[int]]) -> str:
    """Return a page of its own, which escapes all values."""
    engine = Engine(dirs=[str(FOLDER)])
    groups = {
        "apps": by_app(values["weaknesses"]),
        "steps": {step: ranges(numbers) for step, numbers in steps.items()},
        "pages": by_page(values["requests"]),
    }
    return engine.get_template(TEMPLATE).render(Context(values | groups))


def by_app(weaknesses: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    apps: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, weakness in enumerate(weaknesses, 1):
        name = weakness["app"] or "The project"
        apps[name].append(weakness | {"number": number})
    return dict(apps)


def by_page(requests: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the people and the methods of the requests to each page."""
    pages: dict[str, dict[str, Any]] = {}
    for request in requests:
        page = pages.setdefault(
            request["route"], {"people": {}, "methods": {}, "number": 0}
        )
        page["people"][request["person"]] = True
        page["methods"][request["method"]] = True
        page["number"] += request["number"]
    return pages
