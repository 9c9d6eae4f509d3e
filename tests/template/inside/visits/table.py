"""Copied into a generated project: the rows of the access table, and their objects."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, I001, INP001

from datetime import timedelta
from secrets import token_urlsafe

from django.utils import timezone

from visits.models import Day, Link, Note, Profile, Visit

ROWS = ""
SAME_USER = {"Visit_days.day"}


def objects(owner, patient):
    Profile.objects.create(user=owner)
    visit = Visit.objects.create(owner=owner, patient=patient, title="Cough")
    now = timezone.now()
    day = Day.objects.create(user=owner, day=now.date(), text="Rest")
    visit.days.add(day)
    link = Link.objects.create(
        visit=visit, token=token_urlsafe(), expires_at=now + timedelta(days=7)
    )
    note = Note.objects.create(visit=visit, text="Tea")
    values = {"pk": visit.pk, "note": note.pk, "token": link.token}
    return values | {"way": "phone"}  # the same for each owner
