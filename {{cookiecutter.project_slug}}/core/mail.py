"""Emails on a thread of their own, so that a slow or unreachable mail server neither delays nor breaks a request."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import BoundedSemaphore
from typing import Any

from django.core.mail.backends.console import EmailBackend
from django.db import connections, transaction

logger = logging.getLogger(__name__)
# Python sends what is waiting before it exits. Within gunicorn's graceful timeout, that is about 100 emails.
executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
waiting = BoundedSemaphore(100)


def send_later(send: Callable[..., object], *args: object) -> None:
    """Call `send` on the mail thread once the transaction is committed. Log failures, without email addresses."""
    transaction.on_commit(partial(enqueue, partial(copy_context().run, send, *args)))


def enqueue(send: Callable[[], object]) -> None:
    if waiting.acquire(blocking=False):
        executor.submit(run, send)
    else:
        logger.error("email discarded: too many are waiting")


def run(send: Callable[[], object]) -> None:
    try:
        send()
    except Exception:  # whatever a mail server or a template causes
        logger.exception("email not sent")
    finally:
        waiting.release()
        connections.close_all()


class ConsoleBackend(EmailBackend):
    """Print the text alone. Django prints the whole message, with its HTML version, encoded."""

    def write_message(self, message: Any) -> None:
        head = f"From: {message.from_email}\nTo: {', '.join(message.to)}\nSubject: {message.subject}"
        self.stream.write(f"{head}\n\n{message.body.strip()}\n{'-' * 79}\n")
