"""Rows of other people that come while an account is deleted."""

from threading import Event, Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.models.signals import pre_delete

from example.models import Household, Member, Thing
from secure_django import deletion
from secure_django.deletion import DeletionRefusedError, delete_user
from secure_django.testing import PASSWORD, Login
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def household(user: User) -> Household:
    """Return a household of a user alone."""
    household = Household.objects.create(owner=user, name="Under the roof")
    Member.objects.create(household=household, user=user)
    return household


@pytest.fixture
def by_database() -> None:
    """Let the database delete the members of a household, past Django."""
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "example_member")
        (name,) = (
            name
            for name, constraint in constraints.items()
            if constraint["foreign_key"] and constraint["columns"] == ["household_id"]
        )
        cursor.execute(f'ALTER TABLE example_member DROP CONSTRAINT "{name}"')
        cursor.execute(
            f'ALTER TABLE example_member ADD CONSTRAINT "{name}" FOREIGN KEY'
            " (household_id) REFERENCES example_household (id) ON DELETE CASCADE"
        )


class Joining:
    """Another person who joins a household, by a connection of its own."""

    def __init__(self, household: Household, person: User) -> None:
        self.household = household
        self.person = person
        self.errors: list[Exception] = []
        self.thread = Thread(target=self.join)

    def join(self) -> None:
        try:
            Member.objects.create(household=self.household, user=self.person)
        except IntegrityError as error:
            self.errors.append(error)
        finally:
            connections.close_all()

    def start(self, **_: object) -> None:
        if self.thread.ident:
            return
        self.thread.start()
        self.thread.join(2)


@pytest.mark.usefixtures("by_database")
def test_row_that_comes_after_the_judgement_is_not_taken_along(
    household: Household, user: User, other_user: User
) -> None:
    assert connection.vendor == "postgresql"
    joining = Joining(household, other_user)
    pre_delete.connect(joining.start, sender=User)
    try:
        delete_user(user)
    finally:
        pre_delete.disconnect(joining.start, sender=User)
        joining.thread.join()
    # Whoever joins is told. Without locks, the row came and went in silence.
    assert joining.errors
    assert not Household.objects.exists()


def test_row_that_comes_before_the_lock_refuses_the_deletion(
    household: Household,
    user: User,
    other_user: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joining = Joining(household, other_user)
    lock = deletion.lock

    def lock_late(model: Any, *arguments: Any) -> None:
        if model is Household:
            joining.start()
        lock(model, *arguments)

    monkeypatch.setattr(deletion, "lock", lock_late)
    with pytest.raises(DeletionRefusedError):
        delete_user(user)
    assert not joining.errors
    assert Member.objects.count() == 2


def test_deadlock_ends_with_the_page_that_asks_to_try_again(
    login: Login, user: User, other_user: User
) -> None:
    thing = Thing.objects.create(owner=other_user, guest=user, title="Teapot")
    client = login(user)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.raise_request_exception = False
    is_held = Event()
    is_deleting = Event()

    def lock_thing_and_then_user() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # The database ends the other transaction, which is the page's.
                cursor.execute("SET LOCAL deadlock_timeout = '10s'")
                Thing.objects.select_for_update().get(pk=thing.pk)
                is_held.set()
                is_deleting.wait(5)
                User.objects.select_for_update().get(pk=user.pk)
        finally:
            connections.close_all()

    def go_on(**_: object) -> None:
        is_deleting.set()

    thread = Thread(target=lock_thing_and_then_user)
    thread.start()
    is_held.wait(5)
    pre_delete.connect(go_on, sender=User)
    try:
        response = client.post("/accounts/delete/")
    finally:
        pre_delete.disconnect(go_on, sender=User)
        thread.join()
    assert response.status_code == 503
    assert "Temporarily unavailable" in response.text
    assert Thing.objects.get().guest == user
    assert "Account deleted" in client.post("/accounts/delete/").text
