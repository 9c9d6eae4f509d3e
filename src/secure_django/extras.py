"""Say in one sentence which extra a module needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import django
from django.core.exceptions import ImproperlyConfigured

OLDEST_DJANGO = (6, 1)


def missing_extra(name: str, modules: list[str], extra: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{name} needs {', '.join(modules)}:"
        f' add "secure-django[{extra}]" to the dependencies.'
    )


def is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor is the package that would contain it
        return False


def require(name: str, *modules: str, extra: str) -> None:
    """Raise ImproperlyConfigured if a module of an extra is not installed."""
    missing = [module for module in modules if not is_installed(module)]
    if missing:
        raise missing_extra(name, missing, extra)


def require_django(name: str) -> None:
    """Raise ImproperlyConfigured if Django is too old for an engine."""
    if django.VERSION < OLDEST_DJANGO:
        raise ImproperlyConfigured(
            f"{name} needs Django 6.1 or later, and this is {django.__version__}."
            " secure_django.guard alone works with older ones."
        )


@contextmanager
def importing(name: str, *, extra: str) -> Iterator[None]:
    """Raise ImproperlyConfigured if an import in the `with` statement fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_extra(name, [str(error.name)], extra) from error
