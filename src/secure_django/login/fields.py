"""The fields of the user model that people fill in themselves."""

from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.db import models
from django.forms import fields_for_model

from secure_django.user import User
from secure_django.validators import validate_one_line

AUTOCOMPLETE = {"name": "name"}  # for browsers, and for people who need symbols


def signup_fields() -> list[str]:
    """Return the names of the fields that the sign-up asks for."""
    return [*User.signup_fields]


def profile_fields() -> list[str]:
    """Return the names of the fields of the profile, those of the sign-up last."""
    names = [*User.profile_fields, *signup_fields()]
    return list(dict.fromkeys(names))


def form_fields(names: Collection[str]) -> dict[str, forms.Field]:
    """Return the fields of a form, by the names of fields of the user model."""
    fields = fields_for_model(User, names, formfield_callback=form_field)
    return {name: field for name, field in fields.items() if field}


def form_field(field: models.Field, **options: Any) -> Any:
    """Return the form's field of a model's field: a text of one line has one line."""
    is_text = isinstance(field, models.TextField)
    if is_text and validate_one_line in field.validators:
        options["widget"] = forms.TextInput
    made = field.formfield(**options)
    if made and field.name in AUTOCOMPLETE:
        made.widget.attrs["autocomplete"] = AUTOCOMPLETE[field.name]
    return made


def fill_in(user: User, values: Mapping[str, Any]) -> None:
    """Set the fields of the sign-up that are among a form's values."""
    for name in signup_fields():
        if name in values:
            field: Any = User._meta.get_field(name)
            field.save_form_data(user, values[name])
