"""The files in this project's models, and the forms of these models."""

from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.db.models import FileField  # noqa: TID251  # to find those of models
from django.urls import get_resolver

from secure_django.guard.rows import OWN_MODELS
from secure_django.guard.tables import is_own_app, named
from secure_django.photos.forms import PhotoModelForm
from secure_django.user import User


@pytest.mark.control("V5.2.2")
def test_no_model_stores_a_file_as_it_came() -> None:
    plain = {
        f"{model.__name__}.{field.name}"
        for model in OWN_MODELS
        for field in model._meta.concrete_fields
        if isinstance(field, FileField)
    }
    unchecked = plain - named("CHECKED_FILES")
    assert not unchecked, (
        f"{', '.join(unchecked)}: use PhotoField of secure_django.photos.fields. Only"
        " if code checks each file, name the field in CHECKED_FILES of the app's"
        " tests/table.py."
    )


@pytest.mark.control("V2.4.1")
def test_every_form_limits_the_objects_of_an_owner() -> None:
    get_resolver().url_patterns  # noqa: B018 - loads the views, and so their forms
    without = [form.__name__ for form in own_forms() if not has_limit(form)]
    assert not without, (
        f"{', '.join(without)}: derive it from PhotoModelForm of"
        " secure_django.photos.forms, and set most_per_owner = 1000, or another number."
        " If the model has several keys to users, and none of them is called owner, set"
        " owner_field to the key of the owner"
    )


def own_forms() -> list[Any]:
    """Return the forms of models in this project's apps, without those of the admin."""
    forms_of_models: list[Any] = forms.ModelForm.__subclasses__()
    for form in forms_of_models:  # the list grows
        forms_of_models += form.__subclasses__()
    assert PhotoModelForm in forms_of_models
    return [form for form in forms_of_models if is_own(form)]


def is_own(form: Any) -> bool:
    app = apps.get_containing_app_config(form.__module__)
    if app is None or not is_own_app(app):
        return False
    modules = form.__module__.removeprefix(app.name).split(".")
    return {"tests", "admin"}.isdisjoint(modules)


def has_limit(form: Any) -> bool:
    """Return whether a form limits its objects, if these belong to a user."""
    model = form._meta.model
    is_owned = model is not None and any(
        field.many_to_one and field.related_model is User
        for field in model._meta.concrete_fields
    )
    if not is_owned or getattr(form, "most_per_owner", None) is not None:
        return True
    usual = PhotoModelForm.check_number
    return bool(getattr(form, "check_number", usual) is not usual)
