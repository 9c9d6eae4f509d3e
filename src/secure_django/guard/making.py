"""Objects that the guard makes by itself: those that no table's `objects` makes.

It makes one row of each of the app's models, by a factory of the project or by
model_bakery. Keys to the user model lead to the owner, or to the person of a column
that has the key's name: see keys.py.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import Model

from secure_django.extras import is_installed
from secure_django.guard.counted import adder_of_roots, counted_names
from secure_django.guard.examples import examples, names_without_example
from secure_django.guard.factories import factory_for, seed_factories
from secure_django.guard.keys import (
    is_history,
    keys_to_others,
    leads_to_user,
    parent_links,
    relations,
)
from secure_django.guard.tables import CONFIG, OWN_APPS, functions
from secure_django.guard.users import NUMBERS, User, new_user

type Values = dict[str, Any]

OWN_LABELS = {app.label for app in OWN_APPS}
make_user = next(iter(functions("make_user")), new_user)


class NotMadeError(Exception):
    """Why there is no row of a model, in words."""


class Maker:
    """Make one row of each model for an owner."""

    def __init__(self, people: dict[str, Any], shared: set[type[Model]]) -> None:
        self.people = people
        self.owner = people["owner"]
        self.shared = shared  # models whose rows belong to nobody, and are there
        self.rows: dict[type[Model], Model] = {User: self.owner}
        self.taken: list[Model] = []  # rows that a signal has made, even before
        self.failures: dict[type[Model], str] = {}
        self.unfilled: list[str] = []  # what the rows lack, in sentences
        self.started: set[type[Model]] = {User}

    def make_all(self, models: Iterable[type[Model]]) -> None:
        # A row of a child has its parent's.
        by_parents = sorted(models, key=lambda model: -len(parent_links(model)))
        for model in by_parents:
            self.row_of(model)
        self.try_again()
        self.add_all_relatives()

    def try_again(self) -> None:
        """Make what was not made: what it needed may be there by now."""
        number = -1
        while number != len(self.rows):
            number = len(self.rows)
            models = [*self.failures]
            self.started -= self.failures.keys()
            self.failures.clear()
            for model in models:
                self.row_of(model)

    def row_of(self, model: type[Model]) -> Model | None:
        """Return the row of a model, after making it and what it needs."""
        if model not in self.rows and model not in self.started:
            self.started.add(model)
            try:
                self.keep(self.make(model))
            except Exception as error:  # whatever it is, it is said
                self.failures[model] = in_words(error)
        return self.rows.get(model)

    def keep(self, row: Model) -> None:
        """Keep a row, with those of its parents, if it is the first of its model."""
        model = row._meta.concrete_model or type(row)
        self.rows.setdefault(model, row)
        for link in parent_links(model):
            self.keep(getattr(row, link.name))

    def make(self, model: type[Model]) -> Model:
        """Return a row, which may be there already; raise an exception if not."""
        if model in self.shared:
            row = model._base_manager.order_by("pk").first()
            if row is not None:
                return row
        keys = self.keys(model)
        present_row = row_by_unique_key(model, keys)
        if present_row is not None:
            self.taken.append(present_row)
            return present_row
        known_keys = {*model._base_manager.values_list("pk", flat=True)}
        try:
            with transaction.atomic():
                row = create(model, keys)
        except Exception as error:
            return self.make_otherwise(model, keys, error)
        if row.pk in known_keys:
            self.take(row)
        return row

    def make_otherwise(
        self, model: type[Model], keys: Values, error: Exception
    ) -> Model:
        """Return a signal's row, or one with fewer keys, or else raise the error."""
        signal_row = row_by_keys(model, keys)
        if signal_row is not None:
            self.taken.append(signal_row)
            return signal_row
        row = create_with_fewer(model, keys)
        if row is None:
            raise error
        return row

    def take(self, row: Model) -> None:
        """Take a row that a factory has got instead of making one.

        Nobody owns it, unless it names a user: the factory does so for everybody.
        """
        model = type(row)
        if leads_to_user(model):
            self.taken.append(row)
        else:
            self.shared.add(model)

    def keys(self, model: type[Model]) -> Values:
        """Return the row to which each key of a new row leads."""
        other_names = {field.name for field in keys_to_others(model)}
        found: Values = {}
        for field in relations(model):
            name = field.name if field.name in other_names else "owner"
            target = self.target(field, name)
            if target is not None:
                found[field.name] = target
            elif is_required(field):
                raise NotMadeError(self.reason_without(field))
        return found | self.generic_keys(model)

    def target(self, field: Any, person: str) -> Model | None:
        model = field.related_model
        if model is User:
            return self.person(person)
        if issubclass(field.model, model):
            return None  # the root of a tree
        if not is_required(field) and is_foreign(model):
            return None
        return self.row_of(model)

    def person(self, name: str) -> Model:
        """Return the owner, or who is at another end: one without a column is new."""
        if name not in self.people:
            self.people[name] = make_user()
        user: Model = self.people[name]
        return user

    def reason_without(self, field: Any) -> str:
        """Return why a key that is required leads nowhere."""
        model = field.related_model
        reason = self.failures.get(model, "each needs another one first")
        return f"its key {field.name} leads to no {model.__name__}: {reason}"

    def generic_keys(self, model: type[Model]) -> Values:
        """Return what leads any object to the owner, in two columns."""
        values: Values = {}
        for field in model._meta.private_fields:
            if hasattr(field, "ct_field"):
                values[field.ct_field] = content_type_of(User)
                values[field.fk_field] = self.owner.pk
        return values

    def add_all_relatives(self) -> None:
        """Fill what names several rows: also of the rows that are made for it."""
        filled: set[type[Model]] = set()
        while self.rows.keys() - filled:
            model = next(model for model in self.rows if model not in filled)
            filled.add(model)
            if type(self.rows[model]) not in self.shared:
                self.add_relatives(self.rows[model])

    def add_relatives(self, row: Model) -> None:
        """Add the owner, and the other rows, to what names several of them."""
        fields: list[Any] = list(row._meta.many_to_many)
        for field in fields:
            relative = self.relative(field)
            if relative is not None and relative != row:
                self.add_relative(row, field.name, relative)

    def add_relative(self, row: Model, name: str, relative: Model) -> None:
        try:
            with transaction.atomic():
                getattr(row, name).add(relative)
        except Exception as error:  # of a signal: it is said
            self.unfilled.append(not_filled(row, name, error))

    def relative(self, field: Any) -> Model | None:
        """Return the row for a field that names several, if no model is between.

        One for a field that a form demands is made if need be.
        """
        model = field.related_model
        if not field.remote_field.through._meta.auto_created:
            return None
        if not field.blank:
            return self.row_of(model)
        # No right of a user comes from rows that were there before.
        return None if model in self.shared else self.rows.get(model)


def content_type_of(model: type[Model]) -> Any:
    # Not every project has this app.
    from django.contrib.contenttypes.models import ContentType

    return ContentType.objects.get_for_model(model)


def is_required(field: Any) -> bool:
    return not field.null and not field.has_default()


def is_foreign(model: type[Model]) -> bool:
    """Return whether a model is of a package."""
    return model._meta.app_label not in OWN_LABELS


def row_by_unique_key(model: type[Model], keys: Values) -> Model | None:
    """Return the row that is the only one for one of its keys, if it is there."""
    fields = [field for field in relations(model) if field.unique]
    for field in fields:
        if field.name in keys:
            row = row_by_keys(model, {field.name: keys[field.name]})
            if row is not None:
                return row
    return None


def row_by_keys(model: type[Model], keys: Values) -> Model | None:
    if not keys:
        return None
    return model._base_manager.filter(**keys).order_by("pk").last()


def create_with_fewer(model: type[Model], keys: Values) -> Model | None:
    """Return a row without the keys that may stay empty, or None.

    Some models take one of two, or one that leads back to the row itself.
    """
    optional = {field.name for field in relations(model) if may_be_left_out(field)}
    if optional.isdisjoint(keys):
        return None
    fewer = {name: row for name, row in keys.items() if name not in optional}
    with suppress(Exception), transaction.atomic():
        return create(model, fewer)
    return None


def may_be_left_out(field: Any) -> bool:
    """Return whether a key may stay empty. One to a user says whose the row is."""
    return not is_required(field) and field.related_model is not User


def create(model: type[Model], keys: Values) -> Model:
    """Store a row, by a factory of the project if there is one that can."""
    factory = factory_for(model)
    if factory is None:
        return bake(model, keys)
    try:
        with transaction.atomic():
            row: Model = factory(**keys)
            return row
    except Exception as error:
        # It may be for tests of another kind. If nothing else makes a row, it is said.
        with suppress(Exception), transaction.atomic():
            return bake(model, keys)
        raise NotMadeError(in_words(error)) from error


def bake(model: type[Model], keys: Values) -> Model:
    """Store a row by model_bakery, as a form stores one."""
    if not is_installed("model_bakery"):
        message = 'model_bakery is missing: add "secure-django[guard]" to the project'
        raise NotMadeError(message)
    from model_bakery import baker

    values = examples(model, next(NUMBERS)) | keys
    values |= dict.fromkeys(counted_names(model))
    values["_fill_optional"] = names_without_example(model)
    if model.clean is Model.clean and adder_of_roots(model) is None:
        baked: Model = baker.make(model, **values)
        return baked
    prepared: Model = baker.prepare(model, **values)
    call_clean(prepared)
    return store(prepared)


def call_clean(row: Model) -> None:
    """Let a model calculate what it does before a form saves it.

    What it complains about makes no difference: save() alone may be enough.
    """
    with suppress(Exception), transaction.atomic():
        row.clean()


def store(row: Model) -> Model:
    """Save a row. That of a tree (django-treebeard) becomes the root of a new one."""
    add_root = adder_of_roots(type(row))
    if add_root is not None:
        root: Model = add_root(instance=row)
        return root
    row.save()
    return row


def seed(text: str) -> None:
    """Let factories and model_bakery make the same in each run."""
    if not CONFIG.makes_objects:
        return
    seed_factories(text)
    if is_installed("model_bakery"):
        from model_bakery import baker

        baker.seed(text)


def in_words(error: Exception) -> str:
    """Return an exception in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, NotMadeError):
        return text
    return f"{type(error).__name__}: {text}"


def not_filled(row: Model, name: str, error: Exception) -> str:
    """Return in a sentence why a field of a row has no value, or no mark."""
    label = f"{type(row).__name__}.{name} of {row._meta.app_config.name}"
    return f"{label} was not filled: {in_words(error)}"


def models_to_make(app: str) -> Iterator[type[Model]]:
    """Yield the models of an app that have a table of their own, without users."""
    for model in apps.get_models():
        is_of_app = model._meta.app_config.name == app
        if is_of_app and is_to_be_made(model):
            yield model


def is_to_be_made(model: type[Model]) -> bool:
    return is_stored(model) and model is not User and not is_history(model)


def is_stored(model: type[Model]) -> bool:
    """Return whether a model has a table that Django makes, and no other has."""
    return model._meta.managed and not model._meta.proxy
