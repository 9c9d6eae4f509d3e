from django.core.management import call_command
from django.db import connection
from django.dispatch import Signal
from django.utils import timezone

# Sent at each sweep. A receiver deletes expired rows of its app.
expired_rows_deleted = Signal()


def delete_expired_rows() -> None:
    """Delete expired sessions and rows of the cache, which Django keeps: the keys of the cache contain IP addresses."""
    call_command("clearsessions")
    with connection.cursor() as cursor:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        cursor.execute("DELETE FROM django_cache WHERE expires < %s", [now])
    expired_rows_deleted.send(None)
