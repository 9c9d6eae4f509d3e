"""What a request takes: an owner, a right, a status, an account."""

from collections.abc import Iterator
from typing import Any

from secure_django.guard.access import app_of
from secure_django.guard.advice import ADVICE
from secure_django.guard.attempts import Attempt
from secure_django.guard.field_names import NEVER_MEANT
from secure_django.guard.retries import without
from secure_django.guard.right_names import is_named_right, is_right
from secure_django.guard.sending import Change
from secure_django.guard.users import EMAIL, User, email_of


def taken(attempt: Attempt) -> Iterator[str]:
    for change in attempt.answer.changes:
        for field in change.fields():
            if is_taken(attempt, field, change.new.get(field.attname)):
                yield f"lets a user set {change.model.__name__}.{field.name}"


def is_taken(attempt: Attempt, field: Any, value: Any) -> bool:
    """Return whether an owner, a right or a status has the value of the request."""
    sent = attempt.request.sent
    name = field.attname
    is_owner = field.related_model is User
    is_for_others = is_right(field) or not field.editable
    if not (is_owner or is_for_others) or name not in sent:
        return False
    if str(value) != str(sent[name]) or attempt.allows(field.name):
        return False
    if is_meant(attempt, field):
        return False
    return not is_set_without(attempt, field, value)


def is_meant(attempt: Attempt, field: Any) -> bool:
    """Return whether the page's own form asks for the value of a field.

    That is never the key of the owner, nor what a table calls a right.
    """
    if field.name not in attempt.request.offered or is_named_right(field):
        return False
    if field.related_model is User:
        return not is_key_of_owner(attempt, field)
    return not NEVER_MEANT.fullmatch(field.name)


def is_key_of_owner(attempt: Attempt, field: Any) -> bool:
    """Return whether an object of the owner is theirs by this key."""
    rows = attempt.world.rows.get(app_of(attempt.route), [])
    owner_key = attempt.owner.pk
    return any(
        getattr(row, field.attname) == owner_key
        for row in rows
        if type(row) is field.model
    )


def is_set_without(attempt: Attempt, field: Any, value: Any) -> bool:
    """Return whether the view sets the value itself, as one that publishes does."""
    texts = {str(value)}
    if field.related_model is User:
        users = User._base_manager.filter(pk=value)
        texts.update(map(email_of, users))
    method = attempt.request.method
    options = without(texts, attempt.request.options)
    answer = attempt.sender.send(attempt.user, attempt.url, method, **options)
    return any(sets(change, field, value) for change in answer.changes)


def sets(change: Change, field: Any, value: Any) -> bool:
    """Return whether a row gets the value, which it did not have."""
    name = field.attname
    is_same_field = change.model is field.model
    return is_same_field and change.changes(name) and change.new.get(name) == value


def changed_accounts(attempt: Attempt) -> Iterator[str]:
    for change in attempt.answer.changes:
        is_account = change.model is User and change.new
        if is_account and (change.changes(EMAIL) or change.changes("password")):
            yield f"makes an account or changes its log-in: {ADVICE.leave_log_in}"
        if change.model is User and not change.new:
            yield "deletes an account without its password: ask for it first"
