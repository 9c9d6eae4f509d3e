"""Who may have a photo decoded now. Decoding is what costs most, so it is bounded for the process and per account."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Semaphore

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError

from uploads.images import WALL_SECONDS, upload_error
from users.models import User

# In each process one upload is decoded and others wait, so that threads remain for pages.
decoding, waiting = Semaphore(1), Semaphore(2)
WAIT_SECONDS = 4
RETRY_SECONDS = 5  # what a browser that was turned away is told to wait
BUDGET_SECONDS = 600  # the time span of UPLOAD_DECODE_SECONDS

logger = logging.getLogger(__name__)


@contextmanager
def decoding_turn(owner: User, photos: int = 1) -> Iterator[None]:
    """Hold the account's only upload and the process's only decoder, and charge the account for the time."""
    lock = f"upload:{owner.pk}"
    with counting():
        # It expires by itself if this process dies, later than any upload ends.
        if not cache.add(lock, 1, WAIT_SECONDS + photos * WALL_SECONDS + 20):
            raise upload_error("in_progress", retry_after=RETRY_SECONDS)
    try:
        with counting():
            spent = check_budget(owner)
        acquire_decoder()
        started = time.monotonic()
        try:
            with counting():
                # In advance, so that a decoder that brings this process down is paid for too.
                charge(owner, spent, photos * WALL_SECONDS)
            yield
        finally:
            decoding.release()
            with suppress(Exception):  # the charge in advance remains
                charge(owner, spent, time.monotonic() - started)
    finally:
        with suppress(Exception):
            cache.delete(lock)


@contextmanager
def counting() -> Iterator[None]:
    """Refuse the upload while the cache does not count: the limits must not become unlimited."""
    try:
        yield
    except ValidationError:
        raise
    except Exception:  # each cache driver raises exceptions of its own
        logger.exception("cache unavailable, uploads cannot be counted")
        raise upload_error("unavailable", retry_after=60) from None


def check_budget(owner: User) -> list[tuple[float, float]]:
    """Return when the account's uploads were decoded lately and for how many seconds. Raise over the budget."""
    now = time.time()
    spent = [(at, cost) for at, cost in cache.get(f"decoded:{owner.pk}", []) if at > now - BUDGET_SECONDS]
    if sum(cost for _, cost in spent) >= settings.UPLOAD_DECODE_SECONDS:
        left = int(spent[0][0] + BUDGET_SECONDS - now) + 1
        raise upload_error("budget", retry_after=left, minutes=left // 60 + 1)
    return spent


def charge(owner: User, spent: list[tuple[float, float]], seconds: float) -> None:
    key, entries = f"decoded:{owner.pk}", [*spent, (time.time(), seconds)]
    cache.set(key, entries, BUDGET_SECONDS)
    if cache.get(key) != entries:  # Django's database cache hides errors when it writes
        raise RuntimeError("The cache did not store the value.")


def acquire_decoder() -> None:
    if waiting.acquire(blocking=False):
        try:
            if decoding.acquire(timeout=WAIT_SECONDS):
                return
        finally:
            waiting.release()
    raise upload_error("busy", retry_after=RETRY_SECONDS)
