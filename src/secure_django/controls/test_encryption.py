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


@pytest.mark.control("fernet")
def test_texts_of_users_are_encrypted_or_say_why_not() -> None:
    models = models_of_users()
    texts = {
        f"{model.__name__}.{name}" for model in models for name in texts_in_clear(model)
    }
    reasons = {
        f"{model.__name__}.{name}": reason
        for model in models
        for name, reason in getattr(model, "in_clear", {}).items()
    }
    unexplained = sorted(texts - reasons.keys() - HASHED)
    assert not unexplained, (
        f"{', '.join(unexplained)}: make each an EncryptedTextField, or say in"
        " `in_clear` of the model why it is stored in clear. If it is a hash, name it"
        ' in tests/table.py of the app: HASHED = {"Invitation.digest"}'
    )
    assert reasons.keys() <= texts, "in_clear names what is no text in clear"
    assert all(reasons.values()), "a reason of in_clear is missing"
