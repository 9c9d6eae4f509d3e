"""Keys to the user model: which person the guard puts at each end."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from django.db.models import Model

from secure_django.guard.users import User

# Parts of the names of keys. A key of another name leads to the owner if it is the
# only one.
OWNER_NAME = re.compile(
    r"(.*_)?(owner|author|user|customer|client|buyer|sender|creator|member|uploader"
    r"|organi[sz]er|poster|reporter|requester|seller|submitter|writer"
    r"|(created|added|updated|modified|changed|edited|posted|submitted|uploaded)_by)"
)
OTHER_NAME = re.compile(
    r"(to|other|target|recipient|receiver|assignee|assigned|reviewer|approver|invitee"
    r"|invited|followed|following)(_.*)?"
)

# Columns of a model whose rows are the history of other rows: those that a signal or
# the database adds (django-simple-history, django-pghistory).
HISTORY_COLUMNS = ({"history_id", "history_type"}, {"pgh_id"})


def is_history(model: type[Model]) -> bool:
    """Return whether the rows of a model are the history of other rows."""
    names = {field.name for field in model._meta.concrete_fields}
    return any(columns <= names for columns in HISTORY_COLUMNS)


def relations(model: type[Model]) -> list[Any]:
    """Return the keys of a model, without those that lead to a part of its own row."""
    return [field for field in all_relations(model) if not is_parent_link(field)]


def parent_links(model: type[Model]) -> list[Any]:
    """Return the keys that lead to a part of the own row, in another table."""
    return [field for field in all_relations(model) if is_parent_link(field)]


def all_relations(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if field.is_relation]


def is_parent_link(field: Any) -> bool:
    return bool(field.remote_field.parent_link)


def user_keys(model: type[Model]) -> list[Any]:
    return [field for field in relations(model) if field.related_model is User]


def is_named_as_owner(name: str) -> bool:
    return bool(OWNER_NAME.fullmatch(name)) and not OTHER_NAME.fullmatch(name)


def keys_to_owner(model: type[Model]) -> list[Any]:
    """Return the keys that lead to the owner: those named so, or else the first."""
    fields = user_keys(model)
    named_fields = [field for field in fields if is_named_as_owner(field.name)]
    return named_fields or fields[:1]


def keys_to_others(model: type[Model]) -> list[Any]:
    """Return the keys at whose end is somebody else."""
    owner_names = {field.name for field in keys_to_owner(model)}
    return [field for field in user_keys(model) if field.name not in owner_names]


def other_ends(models: Iterable[type[Model]]) -> tuple[str, ...]:
    """Return the names of all keys at whose end is somebody else.

    Who changed a row is not whose it is: a history has no other end.
    """
    present_models = [model for model in models if not is_history(model)]
    names = {field.name for model in present_models for field in keys_to_others(model)}
    return tuple(sorted(names))


@cache
def leads_to_user(model: type[Model], seen: frozenset[Any] = frozenset()) -> bool:
    """Return whether a row names a user, by itself or by a row that it names."""
    fields = [*all_relations(model), *model._meta.many_to_many]
    targets = {field.related_model for field in fields}
    if User in targets:
        return True
    new_targets = targets - seen - {model}
    return any(leads_to_user(target, seen | targets) for target in new_targets)
