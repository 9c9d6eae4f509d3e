"""What a request changes: nothing of others, and by GET nothing."""

from collections.abc import Iterator
from typing import Any

from secure_django.guard.access import REFUSALS
from secure_django.guard.attempts import Attempt
from secure_django.guard.exemptions import exemption_of_row
from secure_django.guard.rows import Key
from secure_django.guard.sending import Change
from secure_django.guard.users import User


def by_get(attempt: Attempt) -> Iterator[str]:
    for model in attempt.answer.written:
        yield f"changes {model.__name__}: do so by POST"
    if attempt.answer.mails:
        yield "sends an email: do so by POST"


def changes_of_others(attempt: Attempt) -> Iterator[str]:
    yield from changed_rows_of_others(attempt)
    # An error is a finding of its own.
    is_without_answer = attempt.is_refused or attempt.answer.outcome == "500"
    if attempt.is_own or is_without_answer or "<" not in attempt.route:
        return
    row = attempt.row
    is_hidden = row.answers and row.answer(attempt.person) in REFUSALS
    if is_hidden or attempt.is_mixed:
        yield f"answers {attempt.answer.outcome}, not 404"


def changed_rows_of_others(attempt: Attempt) -> Iterator[str]:
    if attempt.allows("writes"):
        return
    keys = {(type(row), row.pk) for row in attempt.rows_of_others()}
    for change in attempt.answer.changes:
        if (change.model, change.pk) in keys:
            yield f"changes {change.model.__name__} of the owner"
        if not attempt.allows("uses"):
            yield from uses_of(change, keys, attempt.user)


def uses_of(change: Change, keys: set[Key], user: Any) -> Iterator[str]:
    """Yield what a change newly leads to, if it is one of the keys."""
    for model, pk in relations_set(change):
        if (model, pk) in keys:
            exemption = exemption_of_row(model, pk, user)
            yield f"uses {model.__name__}{exemption} of the owner"


def relations_set(change: Change) -> Iterator[Key]:
    """Yield the row to which each key newly leads, unless it is a user."""
    for field in change.fields():
        model = field.related_model
        if model and model is not User:
            yield model, change.new.get(field.attname)
