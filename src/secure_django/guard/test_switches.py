"""What a page shows once a field of a row has another value."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
from django.db import IntegrityError, transaction
from django.db.models import BooleanField, Model

from secure_django.guard.access import OTHERS, OWN_ROUTES, app_of, is_asked, rule
from secure_django.guard.advice import ADVICE
from secure_django.guard.findings import REASON, Findings
from secure_django.guard.keys import relations
from secure_django.guard.reads import Visit
from secure_django.guard.rows import OWN_MODELS, update_row, users_of
from secure_django.guard.sending import Sender
from secure_django.guard.tables import TABLES, is_tested
from secure_django.guard.users import User
from secure_django.guard.world import World


@pytest.mark.parametrize("person", OTHERS)
def test_no_switch_shows_what_else_belongs_to_others(
    person: str, sender: Sender
) -> None:
    """A page that is open once `is_public` is true shows only what it is meant to."""
    findings = Findings()
    for app in TABLES:
        for sentence in sentences_once_turned(sender, app, person):
            findings.add(sentence, person)
    findings.report(ADVICE.show_own, REASON)


PUBLISHES = re.compile(
    r"(^|_)(anonymous|anyone|everybody|everyone|guests?|listed|open|others?|public"
    r"|published|shared|visible|world)(_|$)"
)
FIELD = re.compile(r"\w+\.\w+")  # Note.text
PUBLIC_VALUES = ("everybody", "everyone", "open", "public", "published", "visible")


def sentences_once_turned(sender: Sender, app: str, person: str) -> Iterator[str]:
    """Yield what is found on the pages of an app only once a switch is turned."""
    switches = switches_of_app(sender.world, app, person)
    routes = [route for route in OWN_ROUTES if app_of(route) == app]
    pages = Pages(sender, person, routes if switches else [])
    for switch in switches:
        sentences = read_after(switch, pages) - pages.usual
        for sentence in filter(switch.is_no_permission, sentences):
            yield f"Once {switch}, {sentence}"


class Switch(NamedTuple):
    """A field that is yes or no, or a choice, and a value that objects() did not give.

    Such a field may open a page to others.
    """

    row: Model
    name: str
    value: Any

    def __str__(self) -> str:
        return f"{type(self.row).__name__}.{self.name} is {self.value}"

    def is_no_permission(self, sentence: str) -> bool:
        """Return whether a page shows something, and not because the switch says so.

        Whatever else happens may never happen: no form has checked the value. A switch
        that publishes a row is the permission to read it and what hangs on it, unless a
        reason in the page's row says more exactly what of it is meant.
        """
        route, _, shown = sentence.partition(" shows ")
        if not FIELD.match(shown):
            return False
        is_of_row = hangs_on(shown.partition(".")[0], type(self.row))
        is_public_value = str(self.value).lower() in PUBLIC_VALUES
        publishes = PUBLISHES.search(self.name) or is_public_value
        return not (publishes and is_of_row) or bool(rule(route).reasons)

    def turn(self) -> bool:
        """Give the value to the row, and return whether it may have it."""
        try:
            with transaction.atomic():
                update_row(self.row, {self.name: self.value})
        except IntegrityError:
            return False
        return True


def hangs_on(name: str, model: type[Model]) -> bool:
    """Return whether rows of the model of this name lead to those of another one."""
    named_models = [each for each in OWN_MODELS if each.__name__ == name]
    return any(leads_to(each, model) for each in named_models)


@cache
def leads_to(
    model: type[Model], target: type[Model], seen: frozenset[type[Model]] = frozenset()
) -> bool:
    """Return whether keys lead from one model to another, and not by a user."""
    if model is target:
        return True
    next_models = {field.related_model for field in relations(model)} - seen - {User}
    known = seen | next_models
    return any(leads_to(each, target, known) for each in next_models if each)


def switches_of_app(world: World, app: str, person: str) -> list[Switch]:
    user = world.people[app].get(person)
    rows = world.rows[app]
    return [switch for row in rows for switch in switches_of(row, user)]


def switches_of(row: Model, user: Any) -> Iterator[Switch]:
    is_about_user = user and users_of(row) == {user.pk}  # as a membership is
    if is_about_user or is_tested(row):
        return
    for field in row._meta.concrete_fields:
        for value in values_of_switch(field):
            if value != getattr(row, field.name):
                yield Switch(row, field.name, value)


def values_of_switch(field: Any) -> list[Any]:
    if isinstance(field, BooleanField):
        return [True, False]
    keys = [key for key, _ in field.flatchoices]
    return [key for key in keys if key not in {"", None}]


class Pages:
    """The pages of an app as a person sees them, before a switch is turned."""

    def __init__(self, sender: Sender, person: str, routes: list[str]) -> None:
        self.sender = sender
        self.person = person
        self.tables: dict[str, set[str]] = {}  # of which a page reads rows, by routes
        asked_routes = [route for route in routes if is_asked(person, route)]
        self.usual = self.read(asked_routes)

    def read(self, routes: Iterable[str]) -> set[str]:
        """Return what is found on these pages."""
        findings = Findings()
        for route in routes:
            visit = Visit(self.sender, route, self.person, findings)
            answer = visit.open_page(self.sender.world.url(route))
            self.tables.setdefault(route, answer.tables())
        return findings.sentences()

    def reading(self, model: type[Model]) -> list[str]:
        """Return the routes of the pages that read rows of a model."""
        table = model._meta.db_table
        return [route for route, tables in self.tables.items() if table in tables]


def read_after(switch: Switch, pages: Pages) -> set[str]:
    """Return what is found on the pages that may differ once a field has a value."""
    world = pages.sender.world
    with transaction.atomic():
        # It may decide who sees a photo, too.
        world.hidden.clear()
        routes = pages.reading(type(switch.row))
        sentences = pages.read(routes) if routes and switch.turn() else set()
        transaction.set_rollback(True)
    world.hidden.clear()
    return sentences
