"""What each person reads: no page, email or log shows a mark (marks.py).

The people open every page, and send queries for what is the owner's.
"""

import pytest
from django.db import transaction

from secure_django.guard.access import OTHERS, ROUTES
from secure_django.guard.advice import ADVICE
from secure_django.guard.findings import REASON, Findings
from secure_django.guard.nobody import lacks_value
from secure_django.guard.reads import Visit
from secure_django.guard.sending import Sender, recorded, written_tables
from secure_django.guard.tables import CONFIG, listed


@pytest.mark.control("V8.2.3")
@pytest.mark.parametrize("person", OTHERS)
def test_no_page_shows_what_belongs_to_others(person: str, sender: Sender) -> None:
    """Neither pages nor lists, choices of forms, exports, JSON, emails or logs."""
    findings = Findings()
    tables: dict[str, set[str]] = {}  # that a page reads, by routes
    for route in ROUTES:
        if CONFIG.makes_objects and lacks_value(sender.world, route):
            continue
        with findings.going_on(route):
            visit = Visit(sender, route, person, findings)
            page = visit.open_page(visit.url)
            tables[route] = page.tables()
            visit.search(page, visit.url)
    # Approval, for example, may publish a photo, but nothing else of its owner.
    with transaction.atomic():
        changed: set[str] = set()
        for change in listed("SITUATIONS"):
            with recorded() as statements:
                change()
            sender.refresh()
            changed |= written_tables(statements)
            routes = [route for route, read in tables.items() if read & changed]
            open_pages(sender, routes, person, findings)
        transaction.set_rollback(True)
    sender.refresh()
    findings.report(ADVICE.show_own, REASON)


def open_pages(
    sender: Sender, routes: list[str], person: str, findings: Findings
) -> None:
    for route in routes:
        with findings.going_on(route):
            visit = Visit(sender, route, person, findings)
            visit.open_page(visit.url)
