"""Checks of the lists of the user model: what people may fill in themselves."""

from typing import Any

from django import forms
from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import FieldDoesNotExist
from django.db import models

from secure_django.login.fields import profile_fields, signup_fields
from secure_django.login.models import AbstractUser
from secure_django.user import User

# What gives access, or what the site decides. The language has a choice of its own.
RESERVED = {
    "date_joined",
    "decision_emails",
    "email",
    "groups",
    "is_active",
    "is_staff",
    "is_superuser",
    "language",
    "last_login",
    "password",
    "user_permissions",
}


@register()
def check_lists_of_fields(**kwargs: Any) -> list[CheckMessage]:
    """Refuse names that no form of a person can have."""
    if not issubclass(User, AbstractUser):
        return []  # E422 says so
    errors = [error for name in profile_fields() for error in check_name(name)]
    errors += [error for name in signup_fields() for error in check_sign_up(name)]
    if apps.is_installed("secure_django.accounts"):
        errors += check_required()
    return errors


def check_name(name: str) -> list[CheckMessage]:
    field = field_of(name)
    if field is None:
        hint = "Take it out of profile_fields and signup_fields, or correct its name."
        text = f"{User.__name__} has no field {name} for the profile."
        return [Error(text, hint=hint, id="secure_django.E434")]
    has_form = field.editable and field.formfield() is not None
    if name in RESERVED or not has_form:
        hint = "Take it out of profile_fields and signup_fields."
        text = f"Nobody may change {name} of {User.__name__} on their profile."
        return [Error(text, hint=hint, id="secure_django.E435")]
    return []


def check_sign_up(name: str) -> list[CheckMessage]:
    """Refuse what is stored after the account, or by it."""
    field = field_of(name)
    if field is None or not (field.many_to_many or is_file(field)):
        return []
    hint = "Move it from signup_fields to profile_fields."
    text = f"The sign-up cannot ask for {name}: it needs an account first."
    return [Error(text, hint=hint, id="secure_django.E436")]


def check_required() -> list[CheckMessage]:
    """Refuse a field that each account needs, and that the sign-up does not ask for."""
    names = [field.name for field in User._meta.concrete_fields if is_required(field)]
    hint = "Name it in signup_fields, or give it a default or blank=True."
    return [
        Error(
            f"Each {User.__name__} needs {name}, but the sign-up does not ask for it.",
            hint=hint,
            id="secure_django.E437",
        )
        for name in names
        if name not in signup_fields()
    ]


def field_of(name: str) -> Any:
    """Return the model's own field, or None: a row that refers to a user is none."""
    try:
        field = User._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, models.Field) else None


def is_file(field: Any) -> bool:
    return isinstance(field.formfield(), forms.FileField)


def is_required(field: Any) -> bool:
    is_filled = field.primary_key or field.has_default() or field.has_db_default()
    is_optional = field.blank or field.null or not field.editable
    return not (is_filled or is_optional or field.name in RESERVED)
