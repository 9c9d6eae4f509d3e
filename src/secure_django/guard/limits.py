"""Requests that may be repeated without end."""

from collections.abc import Iterator

from django.db.models import Model

from secure_django.guard.attempts import Attempt
from secure_django.guard.tables import is_tested
from secure_django.guard.users import User


def weaknesses(attempt: Attempt) -> Iterator[str]:
    if attempt.answer.limits or attempt.allows("repeats"):
        return
    adds_rows = any(map(is_repeatable, attempt.added_models()))
    if adds_rows or attempt.answer.mails or attempt.answer.tasks:
        yield "may be repeated without end: it needs a rate limit"
    elif attempt.person == "anonym" and attempt.answer.changes:
        yield "lets visitors write without end: it needs a rate limit"


def is_repeatable(model: type[Model]) -> bool:
    """Return whether a user can have more and more of such rows."""
    if is_tested(model):
        return False
    fields = model._meta.concrete_fields
    return not any(field.unique and field.related_model is User for field in fields)
