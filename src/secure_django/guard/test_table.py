"""Access control: a new URL fails here without a row in its app's `tests/table.py`."""

import re
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from secure_django.guard.access import (
    ASKED,
    INCLUDED,
    OWN_ROUTES,
    PEOPLE,
    REFUSALS,
    ROLES,
    ROUTES,
    ROWS,
    TO_DECIDE,
    WORDS,
    Reason,
    Row,
    align,
    app_of,
    columns,
    is_of_admin,
    row_for,
)
from secure_django.guard.advice import ADVICE
from secure_django.guard.findings import Findings, faults_of_error
from secure_django.guard.nobody import lacks_value
from secure_django.guard.rows import OWN_MODELS, models_with_texts
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.tables import CONFIG, OWN_APPS, has_table, named

NOT_SHARED = re.compile("no-store|private|s-maxage=1$|immutable")
SURVEY = [
    "Run pytest --guard-survey, which writes the table of an app with its rows.",
    "Move the row of another app's page into its table, or into guard_table.py beside"
    " pyproject.toml.",
]
WRITE_TABLE = [
    "Write tests/table.py of the app: ROWS for its pages, and objects(owner), which"
    " makes its objects. The app of `poe app` has an example."
]
NOTHING_SAID = (
    "pages without Cache-Control may be kept in a cache: let a middleware add no-store"
)
SHARED = "may be kept in a cache for others: remove cache_page or cache_control"


@pytest.mark.control("V8.2.1")
@pytest.mark.control("V8.3.1")
@pytest.mark.control("V14.3.2")
@pytest.mark.parametrize("person", ASKED)
def test_every_url_answers_as_the_access_table_says(
    person: str, sender: Sender
) -> None:
    findings = Findings()
    for route in ROUTES:
        row = row_for(route)
        if not row or person not in columns(row.app):
            continue
        with findings.going_on(route):
            page = sender.answer(route, person)
            expected = row.answer(person)
            for fault in faults_of_answer(page, expected):
                findings.add(f"{route} {fault}", person)
            for fault in faults_of_cache(page, route):
                findings.add(fault, person)
    findings.report(
        f"If the row is right, change the view. {ADVICE.find_nothing}",
        "Only if the page is meant for them, change the row. If the object belongs to"
        " somebody else, the row then needs a reason: secure_django/guard/access.py.",
    )


def faults_of_answer(page: Answer, expected: str) -> Iterator[str]:
    # An error is no access, and no refusal either.
    if page.outcome == "500":
        yield from faults_of_error(page.response)
    elif expected not in {page.outcome, TO_DECIDE}:
        yield f"answers {page.outcome}, not {expected}"


def faults_of_cache(page: Answer, route: str) -> Iterator[str]:
    if "caches" not in CONFIG.rules or not may_be_shared(page):
        return
    is_said = "Cache-Control" in page.response.headers
    yield f"{route} {SHARED}" if is_said else NOTHING_SAID


def may_be_shared(page: Answer) -> bool:
    """Return whether a cache may keep a page for others.

    The view says so, or a middleware does for all others.
    """
    cache_control = page.response.headers.get("Cache-Control", "")
    return not NOT_SHARED.search(cache_control)


@pytest.mark.control("V8.1.1")
@pytest.mark.control("V8.2.1")
def test_every_url_has_an_access_rule(sender: Sender) -> None:
    findings = Findings()
    rows = defaultdict(list)
    for route, app in ROUTES.items():
        is_unknown = CONFIG.makes_objects and lacks_value(sender.world, route)
        if not row_for(route) and not is_unknown:
            findings.add(f"no access rule for {route}")
            rows[app].append(safe_row(sender, route))
    table = "\n".join(line for app in rows for line in [heading(app), *rows[app]])
    findings.report(
        f"Read the rows below. {ADVICE.find_nothing}",
        "Append them to ROWS in tests/table.py of the app, and let objects() there"
        f" make what their <parameters> name:\n{table}",
        "Run the tests again: they say where the view answers otherwise.",
    )


def heading(app: str) -> str:
    return align("# route", columns(app))


def safe_row(sender: Sender, route: str) -> str:
    """Return the row of a page that only its owner sees, or of one that refuses all."""
    answers = {}
    for person in columns(ROUTES[route]):
        outcome = sender.answer(route, person).outcome
        answers[person] = outcome.replace("500", "200")
    if not is_of_admin(route):
        refuse_others(answers, route)
    return align(route, answers.values())


def refuse_others(answers: dict[str, str], route: str) -> None:
    """Write how a safe page answers those who are not its owner."""
    is_open = not answers["owner"].startswith("4")
    is_of_object = is_open and "<" in route
    for person in answers.keys() - {"owner"}:
        if answers[person] not in REFUSALS:
            answers[person] = safe_answer(person) if is_of_object else answers["owner"]
    if is_open and answers["anonym"] not in REFUSALS:
        answers["anonym"] = "log-in"


def safe_answer(person: str) -> str:
    return TO_DECIDE if person in ROLES else "404"


@pytest.mark.control("V8.1.1")
def test_every_app_has_a_table_with_its_rows() -> None:
    """Nothing asks about an app without a table, nor in whose name others answer."""
    findings = Findings()
    for app in OWN_APPS:
        if needs_table(app.name) and not has_table(app.name):
            findings.add(f"{app.name} has no table")
    for route in OWN_ROUTES:
        name = ROUTES[route]
        table = app_of(route)
        if name and name != table:
            findings.add(
                f"the row of {route} is in the table of {table}, not of {name}"
            )
    findings.report(*(SURVEY if CONFIG.makes_objects else WRITE_TABLE))


def needs_table(app: str) -> bool:
    """Return whether an app has a page, or models of which nothing makes objects."""
    has_models = not CONFIG.makes_objects and bool(models_with_texts(app))
    return has_own_route(app) or has_models


def has_own_route(app: str) -> bool:
    return any(ROUTES[route] == app for route in OWN_ROUTES)


def test_every_row_of_the_access_table_is_used() -> None:
    # Two apps can have a page at the same URL: the first of them is shown.
    findings = Findings()
    for row in ROWS:
        if not is_used(row):
            findings.add(f"{row.route} matches no page")
    findings.report("Delete the row, or repair its route.")


def is_used(row: Row) -> bool:
    return any(fnmatchcase(route, row.route) for route in INCLUDED)


def test_every_reason_names_people_things_and_why() -> None:
    findings = Findings()
    fields = [field for model in OWN_MODELS for field in model._meta.concrete_fields]
    things = {*WORDS, *named("FIELDS"), *(field.name for field in fields)}
    for row in ROWS:
        for fault in faults_of_answers(row):
            findings.add(f"{row.route} {fault}")
        for reason in row.reasons:
            for fault in faults_of_reason(reason, columns(row.app), things):
                findings.add(f"{row.route}: {fault}")
    findings.report("Write who, what and why, as secure_django/guard/access.py says.")


def faults_of_answers(row: Row) -> Iterator[str]:
    count = len(row.answers)
    if not len(PEOPLE) <= count <= len(columns(row.app)):
        yield f"has {count} answers"
    if TO_DECIDE in row.answers:
        yield f"says {TO_DECIDE}: write 200 or 404 there"


def faults_of_reason(
    reason: Reason, people: list[str], things: set[str]
) -> Iterator[str]:
    unknown_people = reason.people - {"all", *people}
    unknown_things = reason.things - things
    for name in unknown_people | unknown_things:
        yield f"{name} is no column, field or word"
    has_words = len(reason.why.split()) >= 3
    if not (reason.people and reason.things and has_words):
        yield "the reason is missing: write three words or more"
