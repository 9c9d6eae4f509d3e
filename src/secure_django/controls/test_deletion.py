"""The deletion of an account, by its page, in the project with all its apps.

The people and the rows are those of the guard: see the tables of the apps.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.urls import reverse

from secure_django.guard.access import OWN_ROUTES, app_of
from secure_django.guard.deletions import is_lasting, is_present, rolled_back
from secure_django.guard.marks import MARK
from secure_django.guard.rows import users_of
from secure_django.guard.sending import Sender
from secure_django.guard.tables import named
from secure_django.testing import HTTPSClient
from secure_django.testing.people import prove_second_factor
from secure_django.user import User

type Row = models.Model


@pytest.mark.control("deletion")
def test_deleted_account_leaves_nothing_personal_and_takes_nothing_of_others(
    sender: Sender,
) -> None:
    faults = []
    deleted = set()
    for app, people in sender.world.people.items():
        for name, person in people.items():
            with undone(sender):
                account = Account(sender, app, person)
                if delete_by_page(person):
                    deleted.add(name)
                    faults += [f"{name} of {app}: {it}" for it in account.faults()]
    assert not faults
    assert deleted >= {"owner", "other"}  # the page refuses nobody without a reason


@contextmanager
def undone(sender: Sender) -> Iterator[None]:
    marks = [*sender.world.marks]
    with rolled_back():
        yield
    sender.world.marks[:] = marks
    sender.restore_files()


class Account:
    """What there is of a person, and what others open, before the deletion."""

    def __init__(self, sender: Sender, app: str, person: Any) -> None:
        self.sender = sender
        self.world = sender.world
        self.person = person
        self.world.mark_row(person, app)
        people = self.world.people[app].items()
        self.others = {name: user for name, user in people if user != person}
        rows = Rows(self.world.rows.get(app, []), person)
        self.common = rows.common
        self.personal = self.marks_of([person, *rows.alone])
        self.routes = [route for route in OWN_ROUTES if app_of(route) == app]
        self.shown = self.marks_that_others_see()

    def marks_of(self, rows: list[Row]) -> set[str]:
        return {mark.text for mark in self.world.marks if mark.row in rows}

    def marks_that_others_see(self) -> dict[tuple[str, str], set[str]]:
        """Return the marks of rows and files on each page, by reader and page."""
        return {
            (name, route): self.marks_on(route, user)
            for name, user in self.others.items()
            for route in self.routes
        }

    def marks_on(self, route: str, user: Any) -> set[str]:
        answer = self.sender.send(user, self.world.url(route))
        return set(MARK.findall(answer.text))

    def faults(self) -> Iterator[str]:
        """Yield what is wrong after the deletion."""
        for place in places_with(self.personal, self.person):
            yield f"{place} has something of a deleted person, and is not in STAYS"
        lost = [row for row in self.common if not is_present(row)]
        for row in lost:
            if not hasattr(row, "deleted_with"):
                yield f"{type(row).__name__}, which others share, is gone"
        kept = self.marks_of([row for row in self.common if row not in lost])
        after = self.marks_that_others_see()
        for (name, route), shown in self.shown.items():
            missing = shown & kept - after[name, route]
            labels = [mark.label for mark in self.world.marks if mark.text in missing]
            if missing:
                yield f"{name} does not see {', '.join(labels)} on {route} any more"


class Rows:
    """Whose the rows of an app are: a person's alone, or also others'."""

    def __init__(self, rows: list[Row], person: Any) -> None:
        self.rows = rows
        self.person = person
        self.common = [row for row in rows if self.is_common(row, ())]
        self.alone = [row for row in rows if self.is_alone(row)]

    def is_common(self, row: Row, seen: tuple[Row, ...]) -> bool:
        """Return whether a row names others, or one that relies on it does."""
        if users_of(row) - {self.person.pk}:
            return True
        known = (*seen, row)
        others = [other for other in self.rows if other not in known]
        on_it = [other for other in others if row in targets_of(other, is_relied_on)]
        return any(self.is_common(other, known) for other in on_it)

    def is_alone(self, row: Row) -> bool:
        """Return whether a row names the person alone, itself or by its parents.

        What is on others' rows, and names nobody, is a part of these.
        """
        if row in self.common:
            return False
        parents = targets_of(row)
        names = users_of(row) or set().union(*map(users_of, parents))
        is_of_others = not users_of(row) and any(it in self.common for it in parents)
        return names == {self.person.pk} and not is_of_others


def is_relied_on(key: Any) -> bool:
    """Return whether a row relies on what its key leads to."""
    return is_lasting(key) or getattr(key, "stays_with_object", False)


def targets_of(row: Row, is_asked_for: Callable[[Any], bool] = bool) -> list[Row]:
    keys = [field for field in row._meta.concrete_fields if field.is_relation]
    targets = [getattr(row, key.name) for key in filter(is_asked_for, keys)]
    return [target for target in targets if target is not None]


def delete_by_page(person: Any) -> bool:
    """Return whether the page has deleted the account."""
    client = HTTPSClient()
    client.force_login(person)
    prove_second_factor(client, person)
    client.post(reverse("account_delete"))
    return not User.objects.filter(pk=person.pk).exists()


def places_with(marks: set[str], person: Any) -> Iterator[str]:
    """Yield the columns that have a mark, or that name the person."""
    for model in apps.get_models(include_auto_created=True):
        is_kept = model.__name__ in named("STAYS")  # a table says so
        if model._meta.managed and not model._meta.proxy and not is_kept:
            for field in model._meta.concrete_fields:
                values = model._base_manager.values_list(field.attname, flat=True)
                if has_something(field, set(map(str, values)), marks, person):
                    yield f"{model.__name__}.{field.name}"


def has_something(field: Any, values: set[str], marks: set[str], person: Any) -> bool:
    if field.related_model is User:
        return str(person.pk) in values
    return any(not marks.isdisjoint(MARK.findall(value)) for value in values)
