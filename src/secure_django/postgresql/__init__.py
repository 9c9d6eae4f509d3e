"""A database backend: Django's for PostgreSQL, whose waits can have a limit.

DATABASE_URL chooses it. Without a limit, a query waits for a server that has stopped to
answer for ever: the kernel of its machine still acknowledges what it is sent.
"""

import threading

longest_wait: float | None = None  # seconds; of this process


class Waits(threading.local):
    """Whether this thread has given up a wait since it began a request."""

    were_given_up = False


waits = Waits()


def limit_waits(seconds: float) -> None:
    """Let no query of this process wait for longer. A web process calls it."""
    global longest_wait
    longest_wait = seconds
