"""Which fields are rights: by their names, and by what tables say."""

from typing import Any

from secure_django.guard.field_names import RIGHTS
from secure_django.guard.tables import FURTHER_RIGHTS, NO_RIGHTS

NAMES_OF_FURTHER_RIGHTS = {label.partition(".")[2] for label in FURTHER_RIGHTS}


def is_right(field: Any) -> bool:
    """Return whether a field is a right, or a status that others decide on."""
    if is_named_right(field):
        return True
    return label_of(field) not in NO_RIGHTS and bool(RIGHTS.match(field.attname))


def is_named_right(field: Any) -> bool:
    """Return whether a table says that a field is a right."""
    return label_of(field) in FURTHER_RIGHTS


def label_of(field: Any) -> str:
    return f"{field.model.__name__}.{field.name}"


def may_be_right(name: str) -> bool:
    """Return whether a name is that of a right, of whatever model."""
    return name in NAMES_OF_FURTHER_RIGHTS or bool(RIGHTS.match(name))
