"""The models that objects of a new app can belong to."""

import django
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist

from secure_django.commands.new_app.kinds import Parent

EXAMPLE = "write the app and the model, as in courses.Course."


def find_parent(name: str, new_app: str) -> Parent | str:
    """Return the model of `app.Model`, or why it cannot be a parent."""
    label, _, model_name = name.partition(".")
    if not label or not model_name.isidentifier():
        return f"{EXAMPLE[0].upper()}{EXAMPLE[1:]}"
    if label == new_app:
        return (
            f"{label} is the app that you are making. A key to its own model is a line"
            " that you add later: see docs/your-first-app.md."
        )
    if not apps.ready:
        django.setup()
    if not apps.is_installed(label) and label not in apps.app_configs:
        return f"There is no app {label}: {EXAMPLE}"
    return check_model(label, model_name)


def check_model(label: str, name: str) -> Parent | str:
    from secure_django.guard.tables import is_own_app  # it reads the registry of apps

    configs = {config.name: config for config in apps.get_app_configs()}
    config = configs.get(label) or apps.get_app_config(label)
    models = {model.__name__: model for model in config.get_models()}
    model = models.get(name)
    if model is None:
        is_abstract = hasattr(getattr(config.models_module, name, None), "_meta")
        if is_abstract:
            return f"{name} is abstract, so it has no objects: name a model of its own."
        names = ", ".join(models) or "no model"
        return f"The app {label} has no model {name}; it has {names}."
    if not is_own_app(config):
        return f"{label} is an app of a package: name a model of your own apps."
    try:
        owner = model._meta.get_field("owner")
    except FieldDoesNotExist:
        owner = None
    if owner is None or owner.related_model is not get_user_model():
        return (
            f"{name} has no key `owner` to a user, so nobody could tell whose objects"
            " may be chosen. Add the key, or name another model."
        )
    return Parent(model.__module__, name, hasattr(model, "get_absolute_url"))
