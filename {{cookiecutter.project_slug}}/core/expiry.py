"""Deletion of what has expired. By itself, Django deletes neither sessions nor the rows of a cache in time."""

from django.core.management import call_command
from django.db import connection
from django.dispatch import Signal
from django.utils import timezone

# Sent at each sweep. A receiver deletes expired rows of its app.
expired_rows_deleted = Signal()


def delete_expired_rows() -> None:
    """Delete expired sessions, and expired rows of the cache table: its keys contain IP addresses."""
    call_command("clearsessions")
    with connection.cursor() as cursor:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        cursor.execute("DELETE FROM django_cache WHERE expires < %s", [now])
    expired_rows_deleted.send(None)
