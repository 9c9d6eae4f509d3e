#!/usr/bin/env python
"""Run Django's management commands."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError

from secure_django.web.unavailable import is_connection_error


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))  # the message is enough; a traceback would hide it
    except DatabaseError as error:
        if "database is locked" in str(error):
            sys.exit(
                "The SQLite database is locked: another process writes to it."
                " Repeat the command later."
            )
        if is_connection_error(error):
            reason = " ".join(str(error).split())
            sys.exit(f"Start the database, or check DATABASE_URL: {reason}")
        raise


if __name__ == "__main__":
    main()
