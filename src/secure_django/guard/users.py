"""Users of whatever model a project has."""

from itertools import count
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import models

User = get_user_model()
EMAIL = User.get_email_field_name()
NUMBERS = count(1)


def has_field(name: str) -> bool:
    try:
        User._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


HAS_STAFF = has_field("is_staff")
HAS_EMAIL = has_field(EMAIL)


def new_user(**values: Any) -> Any:
    """Store a user with these values, and with one for each field that needs one."""
    user = User._base_manager.create(**(needed_values() | values))
    user.refresh_from_db()  # with values of the fields' types
    return user


def needed_values() -> dict[str, Any]:
    """Return a value for each field of a user that has none by itself."""
    number = next(NUMBERS)
    fields = [field for field in User._meta.concrete_fields if needs_value(field)]
    return {field.attname: value_for(field, number) for field in fields}


def needs_value(field: Any) -> bool:
    if field.primary_key or field.null or field.has_default() or field.is_relation:
        return False
    is_named = field.name in {User.USERNAME_FIELD, *User.REQUIRED_FIELDS}
    return is_named or field.unique or not field.empty_strings_allowed


def value_for(field: Any, number: int) -> Any:
    if isinstance(field, models.EmailField):
        return f"user{number}@example.com"
    if isinstance(field, models.CharField | models.TextField):
        return f"user{number}"[-(field.max_length or 99) :]
    if isinstance(field, models.DateField):
        return "2000-01-01"
    return number


def email_of(user: Any) -> str:
    """Return the email of a user, or an empty text if the model has none."""
    return str(getattr(user, EMAIL, "") or "") if HAS_EMAIL else ""
