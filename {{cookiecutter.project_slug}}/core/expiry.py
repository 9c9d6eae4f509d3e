"""Deletion of what has expired. By itself, Django deletes neither sessions nor the rows of a cache in time."""

from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.core.management import call_command
from django.db import connection
from django.dispatch import Signal
from django.utils import timezone

# Sent at each sweep. A receiver deletes expired rows of its app.
expired_rows_deleted = Signal()


def delete_expired_rows() -> None:
    """Delete expired sessions, and expired rows of a cache in the database: its keys contain IP addresses."""
    call_command("clearsessions")
    store = caches["default"]
    if isinstance(store, DatabaseCache):
        with connection.cursor() as cursor:
            # Private, but there is no public method. Django calls it once the table is full.
            store._cull(connection.alias, cursor, timezone.now(), 0)  # type: ignore[attr-defined]
    expired_rows_deleted.send(None)
