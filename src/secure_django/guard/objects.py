"""The objects of an app's owner: those of its table, or those that the guard makes."""

from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any, NamedTuple

from django.apps import apps
from django.core.management import call_command
from django.db.models import Model

from secure_django.guard.access import columns
from secure_django.guard.keys import is_history, leads_to_user
from secure_django.guard.making import (
    Maker,
    in_words,
    is_foreign,
    is_stored,
    models_to_make,
)
from secure_django.guard.parameters import models_of_routes
from secure_django.guard.tables import CONFIG, listed, objects_of

type Values = dict[str, Any]
type Models = set[type[Model]]
type NewRows = Callable[[], list[Model]]


class Objects(NamedTuple):
    """What was made for an owner."""

    values: Values = {}  # of the parameters of URLs, by their names
    rows: list[Model] = []  # what they are looked for in
    taken: list[Model] = []  # rows that were there before, such as a signal's
    failures: dict[type[Model], str] = {}  # the reasons
    unfilled: list[str] = []  # what the rows lack, in sentences


class NoWorldError(Exception):
    """Why there are no people and objects to ask as and about, in a sentence."""


def load_fixtures() -> None:
    """Load what the tables name in FIXTURES; raise NoWorldError if that fails."""
    names = listed("FIXTURES")
    if not names:
        return
    try:
        call_command("loaddata", *names, verbosity=0)
    except Exception as error:  # whatever it is: its text names the fixture
        message = f"FIXTURES cannot be loaded: {in_words(error)}"
        raise NoWorldError(message) from error


def shared_models() -> Models:
    """Return the models whose rows are there before any user, and name none."""
    models = filter(is_stored, apps.get_models()) if CONFIG.makes_objects else ()
    filled_models = [model for model in models if model._base_manager.exists()]
    return {model for model in filled_models if not leads_to_user(model)}


def has_objects(app: str) -> bool:
    """Return whether anything makes an app's objects."""
    return CONFIG.makes_objects or objects_of(app) is not None


def make_objects(
    app: str, people: list[Any], shared: Models, new_rows: NewRows
) -> Objects:
    """Make an app's objects for some people: the owner, and those in its roles.

    The table's `objects` comes first, and the guard makes what that does not.
    """
    make = objects_of(app)
    made = read_objects(make(*people_for(make, people))) if make else Objects()
    if not CONFIG.makes_objects:
        return made
    owner, *others = people
    roles = columns(app)[-len(others) :] if others else []
    maker = Maker({"owner": owner} | dict(zip(roles, others, strict=True)), shared)
    for row in [*made.rows, *new_rows()]:
        maker.keep(row)
    models = dict.fromkeys([*models_to_make(app), *models_of_routes(app)])
    maker.make_all(model for model in models if not is_history(model))
    for row in new_rows():
        if is_history(type(row)):
            maker.keep(row)
    # Each is said once: by its own app, if that is asked about.
    own_failures = {
        model: reason
        for model, reason in maker.failures.items()
        if is_foreign(model) or model._meta.app_config.name == app
    }
    return Objects(
        values=made.values,
        rows=list(maker.rows.values()),
        taken=maker.taken,
        failures=own_failures,
        unfilled=maker.unfilled,
    )


def people_for(make: Callable[..., Any], people: list[Any]) -> list[Any]:
    """Return the people whom a function asks for. Without roles, it is the owner."""
    return people[: len(signature(make).parameters)]


def read_objects(made: Any) -> Objects:
    """Return what `objects` has returned: values by their names, or rows."""
    if isinstance(made, dict):
        return Objects(values=made)
    return Objects(rows=list(made or ()))


def faults_of_making(app: str, first: Objects, second: Objects) -> Iterator[str]:
    """Yield what the guard could not make, for the owner or for the other user."""
    for model, reason in first.failures.items():
        yield f"{model.__name__} of {app} was not made: {reason}"
    for model, reason in second.failures.items():
        if model not in first.failures:
            yield f"{model.__name__} of {app} was made only once: {reason}"
    yield from dict.fromkeys([*first.unfilled, *second.unfilled])
