"""Rows that the worker claims round robin by account."""

from datetime import timedelta

import pytest
from django.utils import timezone

from example.models import Delivery
from secure_django import due
from secure_django.testing import MakeUser, Travel
from users.models import User

CLAIM = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def last_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as a new process does."""
    monkeypatch.setattr(due, "last_owners", {})


def add_deliveries(owner: User, number: int) -> None:
    now = timezone.now()
    deliveries = [Delivery(owner=owner, due_at=now) for _ in range(number)]
    Delivery.objects.bulk_create(deliveries)


def deliver(limit: int = 1) -> list[User]:
    """Do the next work, and return the account whose it was."""
    deliveries = Delivery.objects.select_related("owner").claim(limit, CLAIM)
    for delivery in deliveries:
        Delivery.objects.reschedule(delivery, None)
    return [delivery.owner for delivery in deliveries]


@pytest.mark.control("turns")
@pytest.mark.parametrize("is_first", [True, False])
def test_account_with_many_rows_delays_others_by_one(
    is_first: bool, user: User, other_user: User
) -> None:
    busy, other = (user, other_user) if is_first else (other_user, user)
    add_deliveries(busy, 300)
    assert deliver() == [busy]
    add_deliveries(other, 1)
    assert deliver() == [other]
    assert deliver(limit=20) == [busy] * 20
    add_deliveries(other, 1)
    assert other in deliver(limit=2)


def test_rows_of_a_clock_that_ran_ahead_are_due_and_free(
    user: User, travel: Travel
) -> None:
    travel(timedelta(days=1))
    add_deliveries(user, 2)
    [claimed] = Delivery.objects.claim(1, CLAIM)
    travel(timedelta(days=-1))
    assert Delivery.objects.correct_times() == 2
    assert Delivery.objects.due().count() == 1
    assert Delivery.objects.due(CLAIM).count() == 2
    assert claimed in Delivery.objects.claim(2, CLAIM)
    Delivery.objects.update(due_at=timezone.now() + due.LONGEST_PAUSE)
    assert not Delivery.objects.correct_times()


@pytest.mark.control("turns")
def test_owners_take_turns(make_user: MakeUser) -> None:
    owners = [make_user(f"{number}@example.com") for number in range(3)]
    for owner in owners:
        add_deliveries(owner, 4)
    first, second, third = owners
    batches = [set(deliver(limit=2)) for _ in range(3)]
    assert batches == [{first, second}, {third, first}, {second, third}]


def test_rows_of_an_owner_keep_the_order_of_the_query(user: User) -> None:
    add_deliveries(user, 3)
    newest = Delivery.objects.order_by("-pk")
    keys = list(newest.values_list("pk", flat=True))
    claimed = [newest.claim(1, CLAIM)[0].pk for _ in range(3)]
    assert claimed == keys
