"""The objects of an app's owner: those of its table, or those that the guard makes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from django.core.management import call_command
from django.db.models import Model

from secure_django.guard.access import columns
from secure_django.guard.keys import leads_to_user
from secure_django.guard.making import Maker, models_to_make, seed
from secure_django.guard.parameters import models_of_routes
from secure_django.guard.tables import CONFIG, listed, objects_of

type Values = dict[str, Any]
type Models = set[type[Model]]


class Objects(NamedTuple):
    """What was made for an owner."""

    values: Values = {}  # of the parameters of URLs, by their names
    rows: list[Model] = []  # what they are looked for in
    taken: list[Model] = []  # rows that were there before, such as a signal's
    failures: dict[type[Model], str] = {}  # the reasons


def load_fixtures() -> None:
    """Load what the tables name in FIXTURES."""
    names = listed("FIXTURES")
    if names:
        call_command("loaddata", *names, verbosity=0)


def shared_models(models: Iterable[type[Model]]) -> Models:
    """Return the models whose rows are there before any user, and name none."""
    if not CONFIG.makes_objects:
        return set()
    filled_models = [model for model in models if model._base_manager.exists()]
    return {model for model in filled_models if not leads_to_user(model)}


def maker_of(app: str, shared: Models) -> Callable[..., Objects] | None:
    """Return the function that makes an app's objects for some people."""
    make = objects_of(app)
    if make is not None:
        return lambda *people: read_objects(make(*people), shared)
    if not CONFIG.makes_objects:
        return None
    seed(app)  # once: the other user's objects differ from the owner's
    return lambda *people: make_objects(app, people, shared)


def read_objects(made: Any, shared: Models) -> Objects:
    """Return what `objects` has returned: values by their names, or rows."""
    shared_rows = [model._base_manager.order_by("pk")[0] for model in shared]
    if isinstance(made, dict):
        return Objects(values=made, rows=shared_rows)
    return Objects(rows=[*(made or ()), *shared_rows])


def make_objects(app: str, people: Iterable[Any], shared: Models) -> Objects:
    owner, *others = people
    names = columns(app)
    roles = names[len(names) - len(others) :]
    maker = Maker({"owner": owner} | dict(zip(roles, others, strict=True)), shared)
    models = dict.fromkeys([*models_to_make(app), *models_of_routes(app)])
    maker.make_all(models)
    return Objects(
        rows=list(maker.rows.values()), taken=maker.taken, failures=maker.failures
    )


def faults_of_making(app: str, first: Objects, second: Objects) -> Iterator[str]:
    """Yield what the guard could not make, for the owner or for the other user."""
    for model, reason in first.failures.items():
        yield f"{model.__name__} of {app} was not made: {reason}"
    for model, reason in second.failures.items():
        if model not in first.failures:
            yield f"{model.__name__} of {app} was made only once: {reason}"
