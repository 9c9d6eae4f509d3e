"""What a request changes: nothing of others, and by GET nothing."""

from collections.abc import Iterator
from typing import Any

from secure_django.guard.access import REFUSALS
from secure_django.guard.attempts import Attempt
from secure_django.guard.exemptions import exemption_of_row
from secure_django.guard.findings import changes_by_get
from secure_django.guard.nobody import url_of_nobody
from secure_django.guard.rows import Key
from secure_django.guard.sending import Change
from secure_django.guard.users import User


def by_get(attempt: Attempt) -> Iterator[str]:
    yield from changes_by_get(attempt.answer, attempt.route)


def changes_of_others(attempt: Attempt) -> Iterator[str]:
    yield from changed_rows_of_others(attempt)
    # An error is a finding of its own.
    is_without_answer = attempt.is_refused or attempt.answer.outcome == "500"
    if attempt.is_own or is_without_answer or "<" not in attempt.route:
        return
    row = attempt.row
    is_hidden = row.answers and row.answer(attempt.person) in REFUSALS
    if (is_hidden or attempt.is_mixed) and not is_same_for_nobody(attempt):
        yield f"answers {attempt.answer.outcome}, not 404"


def is_same_for_nobody(attempt: Attempt) -> bool:
    """Return whether a page answers so without any object: it says nothing of one."""
    request = attempt.request
    url = url_of_nobody(attempt.world, attempt.route)
    answer = attempt.sender.send(attempt.user, url, request.method, **request.options)
    return answer.outcome == attempt.answer.outcome


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
