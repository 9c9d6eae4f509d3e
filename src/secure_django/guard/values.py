"""The values that people send: texts, keys, another owner, and rights.

Parameters have the names that a view has read so far, those in its code, and
those of the fields of forms and models.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from django.db import models

from secure_django.guard.access import app_of
from secure_django.guard.field_names import PASSWORDS
from secure_django.guard.marks import SECRET
from secure_django.guard.names import names_of_view
from secure_django.guard.reached import reached_models
from secure_django.guard.right_names import is_right, may_be_right
from secure_django.guard.rows import OWN_MODELS, Values
from secure_django.guard.tables import is_tested
from secure_django.guard.typed import EVIL_HOST, OUTSIDER, PASSWORD, TEXT
from secure_django.guard.users import User
from secure_django.guard.world import World

TARGETS = {"next", "url", "back", "return_to", "redirect"}
ANY_KEY = re.compile("pk|ids?|.*_(pk|ids?)")


def own_rows(world: World, route: str) -> list[models.Model]:
    """Return the rows of the owner, without those of packages."""
    rows = world.rows.get(app_of(route), [])
    return [row for row in rows if not is_tested(row)]


def reached_rows(world: World, route: str) -> list[models.Model]:
    """Return the rows of the owner among which the view of a page may search."""
    models_of_view = reached_models(route)
    return [row for row in own_rows(world, route) if isinstance(row, models_of_view)]


def texts_of_row(row: models.Model) -> dict[str, str]:
    """Return what a page may search by: no secrets, and no rights."""
    fields = filter(is_searchable, row._meta.concrete_fields)
    return {field.name: field.value_to_string(row) for field in fields}


def is_searchable(field: Any) -> bool:
    if not isinstance(field, models.CharField | models.TextField):
        return False
    return not SECRET.search(field.name) and not is_right(field)


def forbidden_values(world: World, route: str, victim: Any) -> Values:
    """Return another owner, rights, and the fields of the owner's objects."""
    names = names_of_view(route)
    values: Values = dict.fromkeys(names, TEXT)
    marked_fields = {(mark.row, mark.field) for mark in world.marks}
    for row in [victim, *own_rows(world, route)]:
        values |= values_of_users(row, victim)
        marked_names = {name for marked, name in marked_fields if marked == row}
        values |= values_of_fields(row, marked_names, values)
    values |= addresses_for(values)
    return values | {"owner": victim.pk, "user": victim.pk}


def values_of_fields(
    row: models.Model, marked_names: set[str], others: Values
) -> Values:
    """Return a value for each field that names no user: a right, a text or its own."""
    values = {}
    for field in row._meta.concrete_fields:
        name = field.name
        if field.related_model is User:
            continue
        if is_right(field) or not field.editable:
            values[name] = other_than_default(field)
        elif name in marked_names:
            values[name] = TEXT
        elif not field.primary_key:
            values[name] = present_value(field, row, others.get(name, ""))
    return values


def values_of_users(row: models.Model, victim: Any) -> Values:
    """Return the victim for each field of a row that names a user."""
    fields = row._meta.concrete_fields
    user_fields = [field for field in fields if field.related_model is User]
    names = [name for field in user_fields for name in (field.name, field.attname)]
    return dict.fromkeys(names, victim.pk)


def addresses_for(names: Iterable[str]) -> Values:
    """Return another site's email or URL, or a password, for the names of such."""
    emails = [name for name in names if "mail" in name or name == "to"]
    targets = [name for name in names if name in TARGETS]
    passwords = [name for name in names if PASSWORDS.fullmatch(name)]
    return {
        **dict.fromkeys(emails, OUTSIDER),
        **dict.fromkeys(targets, EVIL_HOST),
        **dict.fromkeys(passwords, PASSWORD),
    }


def present_value(field: Any, row: models.Model, other: Any) -> Any:
    """Return the value of a row, or the other one in place of an empty text.

    An empty text, such as a user's name, asks nothing of a parameter of this name.
    """
    if field.value_from_object(row) is None:
        return None
    return field.value_to_string(row) or other


def other_than_default(field: Any) -> str:
    if isinstance(field, models.BooleanField):
        return str(not field.get_default())
    default = field.get_default()
    keys = [str(key) for key, _ in field.choices or () if key != default]
    if "approved" in keys:
        return "approved"
    if keys:
        return keys[-1]
    return "4711" if isinstance(field, models.IntegerField) else TEXT


def with_keys_of(
    row: models.Model, values: Values, *, named_only: bool = False
) -> Values:
    """Return values whose keys are those of a row, such as id, pk and note_id.

    With `named_only`, only the keys whose names say the model or a foreign key.
    """
    patterns = [names_of_keys(type(row))]
    if not named_only:
        patterns.append(ANY_KEY)
    # In a tuple, since the value of a field with several choices is a list.
    open_names = [name for name, value in values.items() if value in (TEXT, "", None)]
    names = [name for name in open_names if matches_any(patterns, name)]
    return values | dict.fromkeys(names, str(row.pk))


def matches_any(patterns: list[re.Pattern[str]], name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in patterns)


@cache
def names_of_keys(model: type[models.Model]) -> re.Pattern[str]:
    """Return what matches the names of a model's keys, such as note_id and parent."""
    fields = [field for other in OWN_MODELS for field in other._meta.concrete_fields]
    keys = {field.name for field in fields if field.related_model is model}
    names = "|".join([str(model._meta.model_name), *sorted(keys)])
    return re.compile(rf"({names})(s|_pk|_ids?)?")


def rights_in(values: Values) -> Values:
    return {name: value for name, value in values.items() if may_be_right(name)}


def user_keys_in(values: Values, user: Any) -> Values:
    keys = {name: value for name, value in values.items() if name.endswith("_id")}
    return {name: key for name, key in keys.items() if key == user.pk}


def with_text(values: Values, names: set[str], text: str) -> Values:
    """Return the text for each of the names that has no key."""
    return {name: text for name in names if values[name] == TEXT}


def without_none(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not None}
