"""Exports: a spreadsheet opens no text of a user as a formula."""

import csv
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from secure_django.guard.access import OWN_ROUTES, app_of
from secure_django.guard.findings import Findings
from secure_django.guard.marks import MARKUP
from secure_django.guard.rows import update_row
from secure_django.guard.sending import Answer, Sender
from secure_django.guard.world import World

FORMULA = "=1+1"


@pytest.mark.rule("exports")
def test_no_export_has_a_text_of_a_user_as_a_formula(sender: Sender) -> None:
    findings = Findings()
    for route in filter(is_export(sender), OWN_ROUTES):
        with findings.going_on(route), transaction.atomic():
            write_formulas(sender.world, app_of(route))
            if any(cell.startswith(FORMULA) for cell in cells(export(sender, route))):
                findings.add(f"{route} writes a user's text as a formula")
            transaction.set_rollback(True)
    findings.report("Put an apostrophe before cells that begin with =, +, - or @.")


def export(sender: Sender, route: str) -> Answer:
    owner = sender.world.people_of(route)["owner"]
    return sender.send(owner, sender.world.url(route))


def is_export(sender: Sender) -> Any:
    """Return the function that says whether a page is a table in CSV."""

    def is_csv(route: str) -> bool:
        headers = export(sender, route).response.headers
        content_type: str = headers.get("Content-Type", "")
        return content_type.startswith("text/csv")

    return is_csv


def write_formulas(world: World, app: str) -> None:
    """Write a formula in place of each text of a row."""
    for mark in world.marks:
        value = str(getattr(mark.row, mark.field, ""))
        is_text = value in {mark.text, f"{mark.text}{MARKUP}"}
        if is_text and mark.row in world.rows[app]:
            update_row(mark.row, {mark.field: FORMULA})


def cells(answer: Answer) -> Iterator[str]:
    for line in csv.reader(answer.response.content.decode().splitlines()):
        yield from line
