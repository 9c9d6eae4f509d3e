"""The rows of the project's models."""

from collections.abc import Iterable, Iterator
from decimal import InvalidOperation
from functools import cache
from typing import Any

from django.db import models

from secure_django.guard.keys import is_history
from secure_django.guard.making import is_stored
from secure_django.guard.tables import APPS, TABLES, is_own_app, is_tested
from secure_django.guard.users import User

type Key = tuple[type[models.Model], Any]
type Values = dict[str, Any]
type State = dict[Key, Values]
TEXTS = (
    models.CharField,
    models.TextField,
    models.FileField,  # noqa: TID251  # of a recipe
)
# Packages with a table too: pages of this project show photos.
APPS_WITH_OBJECTS = [app for app in APPS if is_own_app(app) or app.name in TABLES]
OWN_MODELS = [
    model
    for app in APPS_WITH_OBJECTS
    for model in app.get_models(include_auto_created=True)
    if is_stored(model)
]


# The dictionary by which a model says why rows that name others may go with an
# account, by the names of the keys by which they go.
ALLOWED_BY = "deleted_with"

# What the database does to rows when another is deleted, without a statement.
BY_DATABASE = [
    getattr(models, name)
    for name in ("DB_CASCADE", "DB_SET_DEFAULT", "DB_SET_NULL")
    if hasattr(models, name)  # since Django 6.1
]


# Those whose changes are noticed: users too, if their model is Django's own.
WATCHED_MODELS = [*OWN_MODELS, *({User} - {*OWN_MODELS})]


def reasons_to_go() -> dict[str, str]:
    """Return why rows may go with an account, by the label of a model and a key."""
    return {
        f"{model._meta.label}.{name}": str(reason)
        for model in OWN_MODELS
        for name, reason in getattr(model, ALLOWED_BY, {}).items()
        if reason
    }


def all_values(of_models: Iterable[type[models.Model]] = WATCHED_MODELS) -> State:
    """Return each row of these models."""
    return {(model, row["pk"]): row for model in of_models for row in values_of(model)}


def all_keys() -> set[Key]:
    return {
        (model, pk)
        for model in OWN_MODELS
        for pk in model._base_manager.values_list("pk", flat=True)
    }


def changed_with(written: set[type[models.Model]]) -> set[type[models.Model]]:
    """Return models to which statements wrote, and those that the database changes."""
    changed = set(written)
    waiting = list(written)
    while waiting:
        found = changed_by_database(waiting.pop()) - changed
        changed |= found
        waiting += found
    return changed


@cache
def changed_by_database(deleted: type[models.Model]) -> set[type[models.Model]]:
    return {model for model in OWN_MODELS if is_changed_by_database(model, deleted)}


def is_changed_by_database(model: type[models.Model], deleted: object) -> bool:
    fields: list[Any] = [*model._meta.concrete_fields]
    keys = [field for field in fields if field.related_model is deleted]
    return any(key.remote_field.on_delete in BY_DATABASE for key in keys)


def values_of(model: type[models.Model]) -> Iterator[Values]:
    fields = model._meta.concrete_fields
    readable = [field for field in fields if not isinstance(field, models.DecimalField)]
    rows = model._base_manager
    try:
        yield from list(rows.values("pk", *names_of_columns(fields)))
    except InvalidOperation:  # SQLite has stored more digits than a field may have
        yield from rows.values("pk", *names_of_columns(readable))


def names_of_columns(fields: Iterable[Any]) -> list[str]:
    return [field.attname for field in fields]


def rows_since(before: set[Key]) -> list[models.Model]:
    new_keys = all_keys() - before
    sorted_keys = sorted(new_keys, key=names_of_key)
    return [model._base_manager.get(pk=pk) for model, pk in sorted_keys]


def names_of_key(key: Key) -> tuple[str, str]:
    model, pk = key
    return model.__name__, str(pk)


def update_row(row: models.Model, values: Values) -> None:
    """Write values past signals and save()."""
    rows = type(row)._base_manager.filter(pk=row.pk)
    rows.update(**values)


def users_of(row: models.Model) -> set[Any]:
    """Return the keys of the users whom a row names."""
    fields = row._meta.concrete_fields
    names = [field.attname for field in fields if field.related_model is User]
    values = {getattr(row, name) for name in names} - {None}
    return values | {row.pk} if isinstance(row, User) else values


def models_with_texts(app: str) -> set[type[models.Model]]:
    app_models = [model for model in OWN_MODELS if model._meta.app_config.name == app]
    return {model for model in app_models if has_texts(model) and not is_tested(model)}


def has_texts(model: type[models.Model]) -> bool:
    """Return whether a row has texts of a user. A history repeats those of others."""
    if model is User or is_history(model):
        return False
    return any(map(is_text, model._meta.concrete_fields))


def is_text(field: Any) -> bool:
    return isinstance(field, TEXTS) and field.editable and not field.choices


def ends_of(row: models.Model, owner: object) -> list[str]:
    """Return the keys of a row that lead to the owner.

    A key to the user says whose the row is. Its other keys are then to its parents.
    """
    fields = [field for field in row._meta.concrete_fields if is_key(field)]
    ends = [field for field in fields if leads_to(getattr(row, field.name), owner)]
    direct_ends = [field for field in ends if field.related_model is User]
    name = type(row).__name__
    return [f"{name}.{field.name}" for field in direct_ends or ends]


def leads_to(target: models.Model | None, owner: object) -> bool:
    return target is not None and owner in users_of(target)


def is_key(field: Any) -> bool:
    """Return whether a field leads to another row of this project's."""
    model = field.related_model
    return model is User or (model in OWN_MODELS and not is_tested(model))
