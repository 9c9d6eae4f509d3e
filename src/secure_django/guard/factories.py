"""The factories that a project has: those of factory_boy, for the models of an app."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from django.db.models import Model

from secure_django.extras import is_installed


@cache
def factory_for(model: type[Model]) -> Any:
    """Return the factory of a model, or None. That of its name is the usual one."""
    fitting = [factory for factory in factories_near(model) if makes(factory, model)]
    usual_name = f"{model.__name__}Factory"
    return min(fitting, key=lambda it: it.__name__ != usual_name, default=None)


def factories_near(model: type[Model]) -> Iterator[Any]:
    if not is_installed("factory"):
        return
    from factory.django import DjangoModelFactory

    for module in modules_near(model):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, DjangoModelFactory):
                yield value


def modules_near(model: type[Model]) -> Iterator[ModuleType]:
    app = model._meta.app_config.name
    for name in (f"{app}.factories", f"{app}.tests.factories", "tests.factories"):
        if is_installed(name):
            yield import_module(name)


def makes(factory: Any, model: type[Model]) -> bool:
    options = factory._meta
    return not options.abstract and options.get_model_class() is model


def seed_factories(text: str) -> None:
    if is_installed("factory"):
        random: Any = import_module("factory.random")
        random.reseed_random(text)
