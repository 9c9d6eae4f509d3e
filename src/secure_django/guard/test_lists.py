"""Pages with more objects stay as quick and short."""

import re
from collections import Counter

import pytest
from django.db import transaction

from secure_django.guard.access import OWN_ROUTES, app_of
from secure_django.guard.advice import ADVICE
from secure_django.guard.copies import COPIES, copy_rows
from secure_django.guard.findings import Findings
from secure_django.guard.marks import MARK
from secure_django.guard.queries import with_query
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.tables import TABLES

MORE_QUERIES = 9  # those of page numbers, and a few for a list of another kind


@pytest.mark.rule("lists")
def test_pages_stay_as_quick_and_short_with_more_objects(sender: Sender) -> None:
    findings = Findings()
    world = sender.world
    for app in TABLES:
        routes = [route for route in OWN_ROUTES if app_of(route) == app]
        lists = filter(is_list, routes)
        pages = [MeasuredPage(sender, route) for route in lists]
        if not pages:
            continue
        with transaction.atomic():
            copy_rows(world.rows[app], world.kept, findings)
            for page in pages:
                page.compare(findings)
            transaction.set_rollback(True)
    findings.report(
        "Name what a list shows of other models in select_related or prefetch_related.",
        ADVICE.page,
        "Only if no user has several of a model, name it in tests/table.py of the app:"
        ' KEPT = {"Note"}',
    )


def is_list(route: str) -> bool:
    """Return whether a page may list objects: those of an owner, or of one object."""
    return route.count("<") < 2


class MeasuredPage:
    """A page as its owner sees it, before and after there are more objects."""

    def __init__(self, sender: Sender, route: str) -> None:
        self.sender = sender
        self.route = route
        self.url = sender.world.url(route)
        self.owner = sender.world.people_of(route)["owner"]
        self.queries = len(sender.send(self.owner, self.url).statements)

    def compare(self, findings: Findings) -> None:
        """Add what grows with the number of objects."""
        page = self.sender.send(self.owner, self.url)
        if len(page.statements) > self.queries + MORE_QUERIES:
            findings.add(f"{self.route} asks the database once for each object")
        if most_repeated(page) > COPIES and not is_export(page):
            findings.add(f"{self.route} shows all objects at once")
        for name in sorted(self.sender.names[self.url]):
            url = with_query(self.url, {name: 1000})
            answer = self.sender.send(self.owner, url)
            if most_repeated(answer) > COPIES and not is_export(answer):
                findings.add(f"{self.route}?{name}=1000 shows all objects at once")


def is_export(page: Answer) -> bool:
    """Return whether a page is a file to keep: that has all objects, by few queries."""
    disposition: str = page.response.headers.get("Content-Disposition", "")
    return disposition.startswith("attachment")


def most_repeated(page: Answer) -> int:
    """Return the number of times that a page shows its most frequent mark."""
    text = re.sub("<option.*?</option>", "", page.text, flags=re.DOTALL)
    counts = Counter(MARK.findall(text))
    return max(counts.values(), default=0)
