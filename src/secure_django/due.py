"""A work queue in the database: each row has the time at which it is due.

Any number of workers can share the rows. A claim is compared with the database's time,
so that a worker whose clock runs ahead takes no row from another.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import shuffle
from typing import Any, ClassVar, Self

from django.db import connections, models, transaction
from django.db.models import Case, F, Q, When, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from secure_django.clock import CLOCK_DIFFERENCE, shared_time

__all__ = ["DueQuerySet", "DueRow"]

# By model: the owner whose row this process claimed last.
last_owners: dict[type[models.Model], Any] = {}


LONGEST_PAUSE = timedelta(minutes=15)


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after a number of attempts."""
    wait = 10 * 1.5 ** min(attempts - 1, 12)
    return min(timedelta(seconds=wait), LONGEST_PAUSE)


def is_free(now: datetime, longest_claim: timedelta | None) -> Q:
    """Return the condition of rows that are due, and that no worker has claimed.

    A claim that ends later than one of this moment is of a clock that ran ahead.
    """
    is_unclaimed = Q(claimed_until=None) | Q(claimed_until__lt=now)
    if longest_claim is not None:
        is_unclaimed |= Q(claimed_until__gt=now + longest_claim + CLOCK_DIFFERENCE)
    return Q(is_unclaimed, due_at__lte=now)


class DueQuerySet[Row: DueRow](models.QuerySet[Row]):
    def due(self, longest_claim: timedelta | None = None) -> Self:
        """Return the rows that are due and that no worker has claimed.

        With the duration of claims, those of a clock that ran ahead do not count.
        """
        return self.filter(is_free(shared_time(self.db), longest_claim))

    def correct_times(self) -> int:
        """Make rows due that a clock which ran ahead has put off; return how many.

        For models whose rows are due at once or by `next_attempt`, and no later.
        """
        now = timezone.now()
        latest = now + LONGEST_PAUSE + CLOCK_DIFFERENCE
        return self.filter(due_at__gt=latest).update(due_at=now)

    def claim(self, limit: int, duration: timedelta) -> list[Row]:
        """Claim up to `limit` due rows, round robin by owner, and return them.

        The query's order applies to the rows of one owner. No other worker gets the
        rows for `duration`.
        """
        now = shared_time(self.db)
        free = is_free(now, duration)
        if can_skip_locked(self):
            return claim_locked(self, limit, free, now + duration)
        claimed = claim_keys(self, limit, free, now + duration)
        # In random order: a row that ends each pass with an error would otherwise block
        # the rows behind it.
        return list(self.filter(pk__in=claimed).order_by("?"))

    def next_keys(self, limit: int) -> list[Any]:
        """Return the keys of the next rows, beginning after the last owner.

        Without round robin, an owner with many slow rows would delay all others.
        """
        order = order_of(self)
        owner = self.model.owner_path
        if owner is None:
            return list(self.order_by(*order).values_list("pk", flat=True)[:limit])
        number_of_owner = Window(RowNumber(), partition_by=F(owner), order_by=order)
        turn: list[Any] = [number_of_owner, owner]
        last_owner = last_owners.get(self.model)
        if last_owner is not None:
            is_later = When(**{f"{owner}__gt": last_owner}, then=0)
            turn.insert(1, Case(is_later, default=1))
        in_turn = self.order_by(*turn).values_list("pk", owner)
        rows = list(in_turn[:limit])
        if rows:
            _, owner_of_last_row = rows[-1]
            last_owners[self.model] = owner_of_last_row
        return [key for key, _ in rows]

    def keep_claim(self, rows: Sequence[Row], duration: timedelta | None) -> None:
        """Claim rows for another `duration`, or end their claim (None).

        Rows that another worker has taken over stay as they are.
        """
        until = None if duration is None else shared_time(self.db) + duration
        keys = [row.pk for row in rows]
        own_rows = self.filter(pk__in=keys, claimed_until=rows[0].claimed_until)
        own_rows.update(claimed_until=until)
        for row in rows:
            row.claimed_until = until

    def reschedule(self, row: Row, due_at: datetime | None) -> None:
        """Store when a row is due again.

        Do nothing if another process has changed its `due_at` since the claim.
        """
        unchanged = self.filter(pk=row.pk, due_at=row.due_at)
        unchanged.update(due_at=due_at)


def order_of(rows: DueQuerySet[Any]) -> list[Any]:
    """Return the order of one owner's rows."""
    return [*rows.query.order_by, "due_at"]


def can_skip_locked(rows: DueQuerySet[Any]) -> bool:
    """Return whether two workers can look for rows without meeting each other."""
    features = connections[rows.db].features
    is_in_turn = rows.model.owner_path is not None  # a window locks no row
    return features.has_select_for_update_skip_locked and not is_in_turn


def claim_locked[Row: DueRow](
    rows: DueQuerySet[Row], limit: int, free: Q, until: datetime
) -> list[Row]:
    """Claim rows while other workers pass over them."""
    with transaction.atomic(using=rows.db):
        ordered = rows.filter(free).order_by(*order_of(rows))
        locked = ordered.select_for_update(skip_locked=True, of=("self",))
        claimed: list[Row] = list(locked[:limit])
        keys = [row.pk for row in claimed]
        if keys:
            own = rows.model._base_manager.filter(pk__in=keys)
            own.update(claimed_until=until, attempts=F("attempts") + 1)
    for row in claimed:
        row.claimed_until = until
        row.attempts += 1
    shuffle(claimed)  # as in `claim`
    return claimed


def claim_keys(
    rows: DueQuerySet[Any], limit: int, free: Q, until: datetime
) -> list[Any]:
    """Claim rows one by one, where no database locks them; return their keys."""
    keys = rows.filter(free).next_keys(limit)
    claim = {"claimed_until": until, "attempts": F("attempts") + 1}
    # The update succeeds for one worker only. The conditions of `rows` are left out: a
    # condition on another table would be a subquery, and PostgreSQL does not repeat it
    # for a row that another worker has just claimed.
    manager = rows.model._base_manager
    return [key for key in keys if manager.filter(free, pk=key).update(**claim)]


class DueRow(models.Model):
    """A row that the worker processes at `due_at` (None: never)."""

    # The path to the user who owns the row, such as album__owner; None if no user does.
    owner_path: ClassVar[str | None] = "owner"

    due_at = models.DateTimeField(null=True, db_index=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)  # how often it was claimed

    objects = DueQuerySet.as_manager()

    class Meta:
        abstract = True

    def next_attempt(self) -> datetime:
        """Return when to try again: in 10 seconds at first, in 15 minutes at most."""
        return timezone.now() + pause_after(self.attempts)
