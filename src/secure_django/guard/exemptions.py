"""What tables say once of who may read: TRUSTED, COMMON and SHARED_BY.

An entry hides findings about reading, and none about a change. What it hides is found
all the same, and listed with it. Until then, a sentence has the name of its entry in
braces: `shows Product.name{COMMON shop.Product}`
"""

import re
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models

from secure_django.guard.access import PEOPLE, ROLES
from secure_django.guard.keys import leads_to_user
from secure_django.guard.rows import ALLOWED_BY, has_texts, reasons_to_go
from secure_django.guard.sentences import parse
from secure_django.guard.tables import CONFIG, is_own_app, reasons
from secure_django.guard.users import User

TABLES_WITH_REASONS = "TRUSTED|COMMON|SHARED_BY|UNDECIDED"
LABEL = re.compile(rf"\{{((?:{TABLES_WITH_REASONS}|{ALLOWED_BY}) [\w.]+)\}}")
READING = re.compile(r"shows \w+\.\w+|gives others|uses \w+ of the owner")
# Texts that belong to nobody may be in logs and emails.
TELLING = re.compile(r"logs \w+\.\w+|sends \w+\.\w+ to others")
# They stand for everybody, or for the owner of the objects.
NOT_TRUSTED = {"anonym", "owner", "other"}


def check_person(name: str) -> None:
    known = sorted({*PEOPLE, *ROLES} - NOT_TRUSTED)
    if name not in known:
        message = f"TRUSTED names {name}: write one of {', '.join(known)}."
        raise ImproperlyConfigured(message)


def find_model(table: str, label: str) -> type[models.Model]:
    """Return a model by its label; raise ImproperlyConfigured if there is none."""
    by_label = {model._meta.label: model for model in apps.get_models()}
    if label not in by_label:
        message = (
            f"{table} names {label}, which is no model: write the label of its app and"
            ' its name, such as "shop.Product".'
        )
        raise ImproperlyConfigured(message)
    if by_label[label] is User:
        message = f"{table} names {label}: no entry opens the rows of users."
        raise ImproperlyConfigured(message)
    return by_label[label]


def check_path(label: str, path: str) -> None:
    """Check that a path leads from the rows of a model to users."""
    model: Any = find_model("SHARED_BY", label)
    for name in path.split("__"):
        try:
            model = model and model._meta.get_field(name).related_model
        except FieldDoesNotExist:
            model = None
    if model is not User:
        message = (
            f"SHARED_BY says {path} of {label}, which leads to no users: write the"
            ' fields that lead to them, such as "room__members".'
        )
        raise ImproperlyConfigured(message)


TRUSTED = reasons("TRUSTED")
COMMON = reasons("COMMON")
SHARED_BY = reasons("SHARED_BY")
OWNED = reasons("OWNED")
ALLOWED = reasons_to_go()
for person in TRUSTED:
    check_person(person)
for label in COMMON:
    find_model("COMMON", label)
for label in OWNED:
    find_model("OWNED", label)
for label, path in SHARED_BY.items():
    check_path(label, path)


def entries_of_tables() -> dict[str, str]:
    """Return the name of each entry, and its reason or path."""
    named = {
        "TRUSTED": TRUSTED,
        "COMMON": COMMON,
        "SHARED_BY": SHARED_BY,
        ALLOWED_BY: ALLOWED,
    }
    return {
        f"{table} {name}": reason
        for table, entries in named.items()
        for name, reason in entries.items()
    }


def exemption_of_row(model: type[models.Model], pk: Any, user: Any) -> str:
    """Return the label of what lets a user read a row, or nothing."""
    by_model = exemption_of_model(model)
    if by_model:
        return by_model
    label = model._meta.label
    is_shared = label in SHARED_BY and is_shared_with(model, pk, user)
    return f"{{SHARED_BY {label}}}" if is_shared else ""


def exemption_of_model(model: type[models.Model]) -> str:
    """Return the label of what lets everybody read the rows of a model, or nothing."""
    label = model._meta.label
    if label in COMMON:
        return f"{{COMMON {label}}}"
    # One finding asks for the decision, in place of one for each page.
    return f"{{UNDECIDED {label}}}" if is_undecided(model) else ""


def is_undecided(model: type[models.Model]) -> bool:
    """Return whether nothing says whose the rows of a model are, and no table does."""
    is_decided = model._meta.label in {*COMMON, *OWNED}
    # Only of these does a finding ask for the decision: nothing is hidden without it.
    is_asked = is_own_app(model._meta.app_config) and has_texts(model)
    is_open = CONFIG.makes_objects and is_asked and not is_decided
    return is_open and not has_owner(model)


def has_owner(model: type[models.Model]) -> bool:
    """Return whether keys may say whose the rows of a model are."""
    return model is User or leads_to_user(model) or is_of_user(model)


def decisions() -> set[str]:
    """Return the entries that say whose rows are, though they may hide nothing."""
    labels = {label for label in COMMON if not has_owner(find_model("COMMON", label))}
    decided = {f"COMMON {label}" for label in labels}
    # Whether the guard finds rows of others depends on what objects() makes.
    return decided | {f"{ALLOWED_BY} {label}" for label in ALLOWED}


def is_of_user(model: type[models.Model]) -> bool:
    """Return whether users lead to rows of a model, or these to rows of any model."""
    fields = [*User._meta.concrete_fields, *User._meta.many_to_many]
    is_generic = any(hasattr(field, "ct_field") for field in model._meta.private_fields)
    return is_generic or model in {field.related_model for field in fields}


def is_shared_with(model: type[models.Model], pk: Any, user: Any) -> bool:
    path = SHARED_BY[model._meta.label]
    user_key = getattr(user, "pk", None)
    if user_key is None:
        return False
    rows = model._base_manager.filter(pk=pk)
    return rows.filter(**{path: user_key}).exists()


def exemption_of_person(person: str) -> str:
    """Return the label of what lets a person read all rows, or nothing."""
    return f"{{TRUSTED {person}}}" if person in TRUSTED else ""


def exemption_of(row: models.Model, user: Any, person: str) -> str:
    """Return the label of what lets somebody read a row, or nothing."""
    by_row = exemption_of_row(type(row), row.pk, user)
    return by_row or exemption_of_person(person)


def take_exemption(sentence: str) -> tuple[str, str]:
    """Return a sentence without its label, and the entry that hides it, if one does."""
    match = LABEL.search(sentence)
    if not match:
        return sentence, ""
    text = LABEL.sub("", sentence)
    return text, match[1] if hides(match[1], parse(text).what) else ""


def hides(entry: str, what: str) -> bool:
    """Return whether an entry is about what a sentence says: about no change."""
    if entry.startswith(ALLOWED_BY):
        return True
    if READING.match(what):
        return True
    return entry.startswith("COMMON") and bool(TELLING.match(what))


def with_exemption(text: str, entry: str) -> str:
    """Return a sentence with the label that `take_exemption` takes off."""
    return f"{text}{{{entry}}}"
