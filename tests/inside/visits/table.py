"""Copied into a generated project: the rows of the access table, and their objects."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, INP001

from visits.models import Note, Profile, Visit

ROWS = ""


def objects(owner, patient):
    Profile.objects.create(user=owner)
    visit = Visit.objects.create(owner=owner, patient=patient, title="Cough")
    return {"pk": visit.pk, "note": Note.objects.create(visit=visit, text="Tea").pk}
