"""The database backend, where Django looks for it."""

from typing import Any

from django.db.backends.postgresql import base

from secure_django.postgresql import driver

# Seconds for Django's query that checks a reused connection. Together with the seconds
# for a new one, they are less than a visitor waits.
CHECK_SECONDS = 2


class DatabaseWrapper(base.DatabaseWrapper):
    Database: Any = driver

    def is_usable(self) -> bool:
        connection: Any = self.connection
        if not isinstance(connection, driver.LimitedConnection):
            return bool(super().is_usable())  # of a pool
        with connection.answering_within(CHECK_SECONDS):
            return bool(super().is_usable())
