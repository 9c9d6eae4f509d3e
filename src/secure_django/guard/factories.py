"""The factories that a project has: those of factory_boy, for the models of an app."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

from django.db.models import Model

from secure_django.extras import is_installed
from secure_django.guard.tables import CONFIG, OWN_APPS, is_own_path

PATTERNS = ("factories.py", "factories/__init__.py")


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


def modules_near(model: type[Model]) -> list[ModuleType]:
    """Return the modules with factories: those of the model's app come first."""
    app = model._meta.app_config.name
    own_names = [f"{app}.factories", f"{app}.tests.factories"]
    names = [name for name in own_names if is_installed(name)]
    others = sorted(names_of_modules())
    others.sort(key=lambda name: not name.startswith(f"{app}."))
    modules = map(import_or_skip, dict.fromkeys([*names, *others]))
    return list(filter(None, modules))


def import_or_skip(name: str) -> ModuleType | None:
    """Return a module, or None if it needs what is not there, such as an app."""
    try:
        return import_module(name)
    except Exception:  # whatever it is: model_bakery makes the rows
        return None


@cache
def names_of_modules() -> frozenset[str]:
    """Return all modules `factories` of the project's apps, and of its tests."""
    folders = {top_folder(app.path, app.name) for app in OWN_APPS}
    folders.add(CONFIG.root / "tests")
    return frozenset(chain.from_iterable(map(names_in, folders)))


def top_folder(path: str, name: str) -> Path:
    """Return the folder of the outermost package that contains an app."""
    return [Path(path), *Path(path).parents][name.count(".")]


def names_in(folder: Path) -> Iterator[str]:
    """Yield the modules `factories` in a package, by the names that import them."""
    for pattern in PATTERNS:
        for file in folder.rglob(pattern):
            module = file.parent if file.stem == "__init__" else file.with_suffix("")
            if is_own_path(file):
                yield ".".join(module.relative_to(folder.parent).parts)


def makes(factory: Any, model: type[Model]) -> bool:
    options = factory._meta
    return not options.abstract and options.get_model_class() is model


def seed_factories(text: str) -> None:
    if is_installed("factory"):
        random: Any = import_module("factory.random")
        random.reseed_random(text)


# Before the test database is made: some define models for tests.
if CONFIG.makes_objects and is_installed("factory"):
    for module_name in names_of_modules():
        import_or_skip(module_name)
