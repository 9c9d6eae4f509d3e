"""The texts of users in this project's models."""

import pytest
from django.apps import apps
from django.db.models import CharField, JSONField, Model, TextField

from secure_django.encryption import EncryptedTextField
from secure_django.guard.tables import HASHED, is_own_app
from secure_django.user import User


def models_of_users() -> list[type[Model]]:
    """Return this project's models that lead to a user by foreign keys."""
    own = [
        model
        for app in apps.get_app_configs()
        if is_own_app(app)
        for model in app.get_models()
    ]
    found: list[type[Model]] = [User]
    for target in found:  # the list grows
        found += [
            model
            for model in own
            if model not in found
            and any(field.related_model is target for field in model._meta.fields)
        ]
    return found


def texts_in_clear(model: type[Model]) -> set[str]:
    """Return the fields for any text that are not encrypted."""
    return {
        field.name
        for field in model._meta.fields
        if isinstance(field, CharField | TextField | JSONField)
        and not isinstance(field, EncryptedTextField)
        and not field.choices
    }


def reasons_of(model: type[Model]) -> dict[str, str]:
    """Return `in_clear` of a model: its own adds to those of its bases."""
    reasons: dict[str, str] = {}
    for base in reversed(model.__mro__):
        reasons |= vars(base).get("in_clear", {})
    return reasons


def find_stale_reasons(models: list[type[Model]]) -> set[str]:
    """Return what a model or a base gives a reason for, and no model has in clear."""
    stated = {
        (base, name)
        for model in models
        for base in model.__mro__
        for name in vars(base).get("in_clear", {})
    }
    needed = {
        (base, name)
        for model in models
        for base in model.__mro__
        for name in texts_in_clear(model)
    }
    return {f"{base.__name__}.{name}" for base, name in stated - needed}


@pytest.mark.control("fernet")
def test_texts_of_users_are_encrypted_or_say_why_not() -> None:
    models = models_of_users()
    texts = {
        f"{model.__name__}.{name}" for model in models for name in texts_in_clear(model)
    }
    reasons = {
        f"{model.__name__}.{name}": reason
        for model in models
        for name, reason in reasons_of(model).items()
    }
    unexplained = sorted(texts - reasons.keys() - HASHED)
    assert not unexplained, (
        f"{', '.join(unexplained)}: make each an EncryptedTextField, or say in"
        " `in_clear` of the model why it is stored in clear. If it is a hash, name it"
        ' in tests/table.py of the app: HASHED = {"Invitation.digest"}'
    )
    assert not find_stale_reasons(models), "in_clear names what is no text in clear"
    assert all(reasons.values()), "a reason of in_clear is missing"
