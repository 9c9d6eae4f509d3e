"""Copies of rows, each of another user."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.db.models import (
    CharField,
    DateField,
    IntegerField,
    Model,
    TextField,
    UniqueConstraint,
    UUIDField,
)

from secure_django.guard.findings import Findings
from secure_django.guard.making import make_user
from secure_django.guard.rows import Values
from secure_django.guard.users import User

COPIES = 150


def copy_rows(rows: list[Model], kept: set[str], findings: Findings) -> None:
    """Copy each row for many users."""
    users = add_users()
    for row in rows:
        error = add_copies(row, users, kept)
        if error:
            findings.add(f"{type(row).__name__} cannot be copied: {error}")


def add_users() -> list[Any]:
    return [make_user() for _ in range(COPIES)]


def add_copies(row: Model, users: list[Any], kept: set[str]) -> str:
    """Add a copy of a row for each user, and return why there can be none.

    A row that must be the only one for its foreign keys needs no copy.
    """
    model = type(row)
    differing = [differing_field(key, kept) for key in unique_keys(model)]
    if model.__name__ in kept or None in differing:
        return ""
    copies = []
    for number, user in enumerate(users):
        values = copied(row, {*differing}, number, user)
        copies.append(model(**values))
    try:
        with transaction.atomic():
            model._base_manager.bulk_create(copies)
    except IntegrityError as error:
        return str(error)
    return ""


def unique_keys(model: type[Model]) -> list[set[Any]]:
    """Return the sets of fields of which no two rows may have the same values."""
    meta = model._meta
    fields = [field for field in meta.concrete_fields if is_copied(field)]
    keys: list[set[Any]] = [{field} for field in fields if field.unique]
    constraints = [
        constraint.fields
        for constraint in meta.constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    for names in filter(None, [*meta.unique_together, *constraints]):
        keys.append({meta.get_field(name) for name in names})
    return keys


def is_copied(field: Any) -> bool:
    """Return whether a copy has the value of a field, unlike a key of its own."""
    return field.is_relation or not field.primary_key


def differing_field(key: set[Any], kept: set[str]) -> Any:
    """Return the field of a unique key in which copies differ, if one may.

    It is another user only if nothing else may differ: each page shows one user's.
    """
    fields = [field for field in key if may_differ(field, kept)]
    return min(fields, key=lambda field: field.is_relation, default=None)


def may_differ(field: Any, kept: set[str]) -> bool:
    """Return whether each copy can have a value of its own."""
    if field.is_relation:
        return field.related_model is User
    label = f"{field.model.__name__}.{field.name}"
    if field.choices or label in kept:
        return False
    kinds = CharField, TextField, IntegerField, DateField, UUIDField
    return isinstance(field, kinds)


def copied(row: Model, differing: set[Any], number: int, user: Any) -> Values:
    """Return the values of a copy."""
    names = [field.attname for field in row._meta.concrete_fields if is_copied(field)]
    values = {name: getattr(row, name) for name in names}
    for field in differing:
        value = values[field.attname]
        values[field.attname] = differing_value(field, value, number, user)
    return values


def differing_value(field: Any, value: Any, number: int, user: Any) -> Any:
    """Return a value that no other copy has."""
    if field.is_relation:
        return user.pk
    if isinstance(field, UUIDField):
        return uuid4()
    if isinstance(field, IntegerField):
        return (value or 0) + number + 1
    if isinstance(field, DateField):
        return value and value + timedelta(days=number + 1)
    return f"{number}{value}"[: field.max_length]
