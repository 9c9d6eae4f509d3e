"""What each person reads: no page, email or log shows the marks of core/tests/marks.py.

As in core/tests/test_access.py, the people open every page, and ask it for what is the
owner's.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Model, OneToOneField

from core.tests.access import (
    OWN_ROUTES,
    REFUSALS,
    ROLES,
    ROUTES,
    TABLES,
    app_of,
    is_asked,
    rule,
)
from core.tests.findings import REASON, Findings, faults
from core.tests.marks import MARK, Mark
from core.tests.requests import questions
from core.tests.sending import Answer, Sender
from uploads.models import Photo, Status

COPIES = 150
MORE_QUERIES = 9  # those of page numbers, and a few for a list of another kind
SEARCH = (
    "Let the view, and the choices of its forms, search in what own() returns."
    " Show no email of a user."
)


@pytest.mark.control("V8.2.3")
@pytest.mark.parametrize("person", ["anonym", "other", "staff", *ROLES])
def test_no_page_shows_what_belongs_to_others(person: str, sender: Sender) -> None:
    """Neither pages nor lists, choices of forms, exports, JSON, emails or logs."""
    findings = Findings()
    # Approval may publish a photo, but nothing else of its owner.
    for status in (Status.PENDING, Status.APPROVED):
        change_photos(sender, status)
        for route in ROUTES:
            if is_asked(person, route):
                is_first = status == Status.PENDING
                look(sender, route, person, findings, is_first)
    findings.report(SEARCH, REASON)


def change_photos(sender: Sender, status: Status) -> None:
    Photo.objects.update(status=status)
    for mark in sender.world.marks:
        if isinstance(mark.row, Photo):
            mark.row.status = status


def look(
    sender: Sender, route: str, person: str, findings: Findings, asks: bool
) -> None:
    world = sender.world
    user = world.person(person, route)
    hidden = [
        mark
        for mark in world.hidden_from(user)
        if not rule(route).allows(person, mark.field)
    ]
    page = sender.send(user, world.url(route))
    read(page, route, person, hidden, "", findings)
    if route not in OWN_ROUTES or not asks:
        return
    for url, asked in questions(world, route, page):
        read(sender.send(user, url), route, person, hidden, asked, findings)
    for url in world.mixed_urls(route) if person == "other" else ():
        if sender.send(user, url).outcome not in REFUSALS:
            findings.add(f"{route} mixes the numbers of two owners", person)


def read(
    answer: Answer,
    route: str,
    person: str,
    hidden: list[Mark],
    asked: str,
    findings: Findings,
) -> None:
    """Add what an answer says that the person may not know."""
    for mark in shown(answer.text, hidden, asked):
        findings.add(f"{route} shows {mark.label}", person)
    for mark in shown(answer.logs, hidden, asked):
        findings.add(f"{route} logs {mark.label}: log ids only", person)
    if route not in OWN_ROUTES:
        return
    for fault in faults(answer):
        findings.add(f"{route} {fault}", person)
    for model, _ in answer.changes:
        findings.add(f"GET {route} changes {model.__name__}: do so by POST", person)


def test_pages_stay_as_quick_and_short_with_more_objects(sender: Sender) -> None:
    findings = Findings()
    world = sender.world
    routes = [route for route in OWN_ROUTES if route.count("<") < 2]
    for app in TABLES:
        pages = {route: world.url(route) for route in routes if app_of(route) == app}
        owner = world.people[app]["owner"]
        before = {route: sender.send(owner, url) for route, url in pages.items()}
        with transaction.atomic():
            for row in world.rows[app]:
                add_copies(row)
            for route, url in pages.items():
                page = sender.send(owner, url)
                if page.queries > before[route].queries + MORE_QUERIES:
                    findings.add(f"{route} asks the database once for each object")
                if most_repeated(page) > COPIES:
                    findings.add(f"{route} shows all objects at once")
            transaction.set_rollback(True)
    findings.report(
        "Name what a list shows of other models in select_related or prefetch_related.",
        "Show a page of it at a time, by Paginator, as the app of `poe app` does.",
    )


def add_copies(row: Model) -> None:
    """Add copies of a row, if they may exist."""
    key = row._meta.pk
    values = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key
    }
    if isinstance(key, OneToOneField):
        return
    with suppress(IntegrityError), transaction.atomic():
        copies = [type(row)(**values) for _ in range(COPIES)]
        type(row)._base_manager.bulk_create(copies)


def most_repeated(page: Answer) -> int:
    """Return how often a page shows the mark that it shows most often."""
    text = re.sub("<option.*?</option>", "", page.text, flags=re.DOTALL)
    return max(Counter(MARK.findall(text)).values(), default=0)


def shown(text: str, hidden: list[Mark], asked: str) -> Iterator[Mark]:
    found = set(MARK.findall(text))
    for mark in hidden:
        is_here = mark.text in found if MARK.fullmatch(mark.text) else mark.text in text
        if is_here and mark.text not in asked:
            yield mark
