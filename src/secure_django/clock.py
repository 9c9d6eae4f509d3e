"""Stored times, of which a wrong clock may have written some.

A clock that runs ahead for a minute leaves times in the future. Until then, nothing may
count as new because of them, and nothing as used up.
"""

from datetime import UTC, datetime, timedelta

from django.db import connections
from django.utils import timezone

CLOCK_DIFFERENCE = timedelta(minutes=1)  # between two machines


def shared_time(database: str) -> datetime:
    """Return the time by which the processes that share a database agree.

    That is the database's own: the clocks of two machines may differ by minutes. A
    SQLite file is used on one machine, whose clock is the shared one.
    """
    connection = connections[database]
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    return timezone.localtime(now, UTC)


def is_ahead(moment: datetime) -> bool:
    """Return whether a stored time is one that no machine of the site has yet."""
    return moment > timezone.now() + CLOCK_DIFFERENCE
