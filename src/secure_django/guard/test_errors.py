"""Odd values: no page answers them with an error 500."""

from collections.abc import Iterator
from itertools import filterfalse
from typing import Any

import pytest
from django import forms

from secure_django.guard.access import OWN_ROUTES, PARAMETER
from secure_django.guard.advice import ADVICE
from secure_django.guard.findings import Findings, faults_of_error, faults_of_tasks
from secure_django.guard.forms import fields_on, fitting_values
from secure_django.guard.nobody import lacks_value
from secure_django.guard.queries import with_query
from secure_django.guard.requests import json_options
from secure_django.guard.rows import Values
from secure_django.guard.sending import OF_FORMSET, Answer, Sender
from secure_django.guard.values import without_none

# What no number, date, key or choice is. SQLite stores up to 19 digits.
ODD_VALUES = ("", "x", "-1", "9" * 20, "2026-02-30", "NaN")
# Times that have no date in another time zone.
ODD_TIMES = ("0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00")
ODD_JSON: tuple[Any, ...] = (None, [], {}, -1, "x")
# As they are written in JSON: NUL, half a character, and what is no number of a column.
ODD_PARTS = (r'"\u0000"', r'"\ud800"', "NaN", "1e999", "9" * 20)
# What Python's parser raises other errors for than for malformed JSON.
ODD_BODIES = ("[" * 100_000, "9" * 5000)


@pytest.mark.rule("errors")
def test_no_odd_value_ends_in_an_error(sender: Sender) -> None:
    findings = Findings()
    for route in OWN_ROUTES:
        if lacks_value(sender.world, route):
            continue
        with findings.going_on(route):
            for method, answer in answers_to_odd_values(sender, route):
                faults = [*faults_of_error(answer.response), *faults_of_tasks(answer)]
                for fault in faults:
                    findings.add(f"{method} {route} {fault}")
    findings.report(ADVICE.check_values)


def answers_to_odd_values(sender: Sender, route: str) -> Iterator[tuple[str, Answer]]:
    """Yield the method and the answer of each request, which the owner sends."""
    owner = sender.world.people_of(route)["owner"]
    url = sender.world.url(route)
    page = sender.send(owner, url)
    for odd_url in odd_urls(sender, route, url):
        yield "GET", sender.send(owner, odd_url)
    fitting = without_none(fitting_values(page))
    posted = sender.send(owner, url, "post", data=fitting)
    if posted.outcome == "405":
        return
    times = {name for name, field in fields_on(page) if is_time(field)}
    for values in odd_forms(fitting, sender.names[url], times):
        yield "POST", sender.send(owner, url, "post", data=values)
    yield from answers_to_odd_json(sender, route, url)


def odd_urls(sender: Sender, route: str, url: str) -> Iterator[str]:
    """Yield URLs with an odd value for a parameter, or for a name of the query."""
    for name in PARAMETER.findall(route):
        values = sender.world.values_on(route)
        if isinstance(values.get(name), str):
            for value in filter(None, ODD_VALUES):
                yield sender.world.url(route, **{name: value})
    for name in sorted(sender.names[url]):
        for value in ODD_VALUES:
            yield with_query(url, {name: value})


def is_time(field: Any) -> bool:
    return isinstance(field, forms.DateTimeField)


def odd_forms(
    fitting: Values, read_names: set[str], times: set[str]
) -> Iterator[Values]:
    """Yield forms without each value, and with each odd one."""
    # Django itself limits the numbers of a formset.
    names = filterfalse(OF_FORMSET.search, fitting.keys() | read_names)
    for name in sorted(names):
        yield {other: value for other, value in fitting.items() if other != name}
        for value in (*ODD_VALUES, *(ODD_TIMES if name in times else ())):
            yield fitting | {name: value}


def answers_to_odd_json(
    sender: Sender, route: str, url: str
) -> Iterator[tuple[str, Answer]]:
    """Yield what a view answers that reads JSON, by the names that it reads."""
    owner = sender.world.people_of(route)["owner"]
    empty = sender.send(owner, url, "post", **json_options({}))
    if empty.outcome == "405":
        return
    yield "POST", empty
    yield "POST", sender.send(owner, url, "post", **as_json("{"))
    names = sorted(sender.names[url])
    if url in sender.read_bodies:
        for body in odd_bodies(names):
            yield "POST", sender.send(owner, url, "post", **as_json(body))
    for name in names:
        for value in ODD_JSON:
            options = json_options({name: value})
            yield "POST", sender.send(owner, url, "post", **options)


def odd_bodies(names: list[str]) -> Iterator[str]:
    """Yield JSON that parsers take and views do not expect, or the reverse.

    All names have the same value, so these are a few requests a page.
    """
    yield from ODD_BODIES
    for part in ODD_PARTS:
        yield object_of([f'"{name}": {part}' for name in names])
    yield object_of([f'"{name}": "{value}"' for name in names for value in "xy"])


def object_of(members: list[str]) -> str:
    return "{" + ", ".join(members) + "}"


def as_json(body: str) -> Values:
    return {"data": body, "content_type": "application/json"}
