"""Django's backend for PostgreSQL, with a cheaper health check of the connection that a request reuses."""

from select import select

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Return False once the server has closed the connection: there is nothing else to read between requests.

        Django's own check is a query, which takes each request as long as any other one.
        """
        try:
            # A transaction that was left open, and may have failed, makes it unusable too.
            idle = self.connection and self.connection.info.transaction_status == TransactionStatus.IDLE
            return bool(idle) and not select([self.connection], [], [], 0)[0]
        except (OSError, ValueError):
            return False
