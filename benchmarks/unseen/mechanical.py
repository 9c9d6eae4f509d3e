"""Objects that nobody has thought about. It is copied into a generated project.

The guard makes them as it makes those of a project without the template: one row of
each model, by model_bakery. `python -m tests.mechanical APP` prints the further people
that these rows name.
"""

# Imports are those of the generated project, once Django is set up.
# mypy: ignore-errors
# ruff: noqa: ANN401, I001, PLC0415, SLF001

import sys
from pathlib import Path
from typing import Any

UNMADE = Path("reports", "unmade.txt")
# The numbers of an owner's rows: the keys of other rows are far below, or far above.
GAP = 100_000


def make_objects(app: str, people: dict[str, Any]) -> dict[str, Any]:
    """Make an owner's row of each model, and return the values of all parameters.

    What could not be made, and why, is written to a file.
    """
    from model_bakery import baker

    from secure_django.guard.making import models_to_make
    from secure_django.guard.parameters import models_of_routes, values_of_routes

    owner = people["owner"]
    baker.seed(f"{app} {owner.pk}")
    models = dict.fromkeys([*models_to_make(app), *models_of_routes(app)])
    maker = numbered_maker(app, people)
    for model in models:
        keep_photo(model, maker)
    maker.make_all(models)
    values: dict[str, Any] = {}
    for route, found in values_of_routes(app, maker.rows.values(), owner).items():
        note_conflicts(route, values, found)
        values = found | values
    note([f"{model.__name__}: {why}" for model, why in maker.failures.items()])
    return values


def numbered_maker(app: str, people: dict[str, Any]) -> Any:
    """Return a maker whose rows all have one number, which fits each `<pk>` of a URL.

    A table has one value for each name, whatever page it is on.
    """
    from django.db.models import AutoField
    from secure_django.guard.making import Maker

    class NumberedMaker(Maker):
        has_numbers = True

        def keys(self, model: Any) -> dict[str, Any]:
            found = super().keys(model)
            key = model._meta.pk
            is_of_app = model._meta.app_label == app
            if self.has_numbers and is_of_app and isinstance(key, AutoField):
                found[key.attname] = GAP * self.owner.pk
            return found

        def make(self, model: Any) -> Any:
            try:
                return super().make(model)
            except Exception:  # noqa: BLE001 - a signal may have made the row
                self.has_numbers = False
                return super().make(model)
            finally:
                self.has_numbers = True

    return NumberedMaker(people, shared_models(app))


def shared_models(app: str) -> set[Any]:
    """Return the models of other apps whose rows name no user, such as languages."""
    from django.apps import apps
    from secure_django.guard.keys import leads_to_user
    from secure_django.guard.making import is_stored

    models = filter(is_stored, apps.get_models())
    others = [model for model in models if model._meta.app_label != app]
    return {
        model
        for model in others
        if not leads_to_user(model) and model._base_manager.exists()
    }


def keep_photo(model: Any, maker: Any) -> None:
    """Store a photo as forms do, for a model that names one."""
    from secure_django.photos.models import Photo
    from secure_django.testing.photos import create_photo

    fields = model._meta.concrete_fields
    if Photo not in maker.rows and any(it.related_model is Photo for it in fields):
        maker.keep(create_photo(maker.owner))


def note_conflicts(route: str, values: dict[str, Any], found: dict[str, Any]) -> None:
    """Note a parameter that has another value on another page."""
    names = [name for name in found if values.get(name, found[name]) != found[name]]
    note([f"{route}: another {name} than on a page before" for name in names])


def note(lines: list[str]) -> None:
    """Add lines to what could not be made."""
    if lines:
        with UNMADE.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


def print_people(app: str) -> None:
    """Print the names of keys that lead to somebody else than the owner."""
    import django

    django.setup()
    from secure_django.guard.keys import other_ends
    from secure_django.guard.making import models_to_make

    print(*other_ends(models_to_make(app)))


if __name__ == "__main__":
    print_people(sys.argv[1])
