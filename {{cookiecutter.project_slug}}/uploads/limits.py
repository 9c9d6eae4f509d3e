"""Who may have a photo decoded now: `decoding_turn` decides.

Decoding is what costs most.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils import timezone

from core.client import client_network
from core.turns import Busy, Turns
from uploads.images import CPU_SECONDS, RETRY_SECONDS, WALL_SECONDS, upload_error
from users.models import User

MOST_WAITING = 2  # in each process, so that threads remain for pages
WAIT_SECONDS = 15
# Decoding counts for ten minutes, in steps of ten seconds, so that the cache holds a
# bounded list.
STEP_SECONDS, STEPS = 10, 60
decoding = Turns(MOST_WAITING, WAIT_SECONDS)

logger = logging.getLogger(__name__)


@contextmanager
def decoding_turn(owner: User, photos: int = 1) -> Iterator[list[float]]:
    """Hold the account's only upload and the process's only decoder.

    Raise the ValidationError that says why not. Yield a list for the CPU seconds that
    decoding uses. They are charged to the account and to the client's network.
    """
    check_quota(owner, photos)
    lock, told = f"upload:{owner.pk}", f"told-to-wait:{owner.pk}"
    account, network = f"decoded:{owner.pk}", f"decoded:{client_network.get()}"
    with counting():
        # It expires by itself if this process dies, later than any upload ends.
        if not cache.add(lock, 1, WAIT_SECONDS + photos * WALL_SECONDS + 20):
            raise upload_error("in_progress", retry_after=5)
    used: list[float] = []
    try:
        with counting():
            before, nearby, is_early = (
                seconds_used(account),
                seconds_used(network),
                cache.get(told, False),
            )
        spent = sum(before.values())
        if spent >= settings.UPLOAD_DECODE_SECONDS:
            left = math.ceil((min(before) + STEPS) * STEP_SECONDS - time.time())
            raise upload_error("budget", retry_after=left, minutes=math.ceil(left / 60))
        # In whole seconds, so that a photo or two do not put an account behind those
        # that do not obey Retry-After.
        with decoder(int(spent), int(sum(nearby.values())), is_early):
            with counting():
                # In advance, so that a decoder that brings this process down is paid
                # for too.
                charge(account, before, photos * CPU_SECONDS)
            try:
                yield used
            finally:
                with suppress(Exception):  # the charge in advance remains
                    charge(account, before, sum(used))
                    charge(network, seconds_used(network), sum(used))
    finally:
        with suppress(Exception):
            if not used:  # turned away
                cache.set(told, True, RETRY_SECONDS - 1)
            cache.delete(lock)


@contextmanager
def decoder(*used: float) -> Iterator[None]:
    """Hold this process's only decoder. Whoever waits and has used least is next."""
    with ExitStack() as stack:
        try:
            stack.enter_context(decoding.hold(*used))
        except Busy:
            raise upload_error("busy", retry_after=RETRY_SECONDS) from None
        yield


def check_quota(owner: User, new: int = 1) -> None:
    """Raise ValidationError if `new` photos exceed the owner's UPLOADS_PER_HOUR."""
    hour_ago = timezone.now() - timedelta(hours=1)
    if (
        owner.photos.filter(created_at__gt=hour_ago).count() + new
        > settings.UPLOADS_PER_HOUR
    ):
        raise upload_error("quota", photos=settings.UPLOADS_PER_HOUR)


@contextmanager
def counting() -> Iterator[None]:
    """Refuse the upload while the cache does not count, so that the limits hold."""
    try:
        yield
    except ValidationError:
        raise
    except Exception:  # each cache driver raises exceptions of its own
        logger.exception("cache unavailable, uploads cannot be counted")
        raise upload_error("unavailable", retry_after=60) from None


def seconds_used(key: str) -> dict[int, float]:
    """Return the seconds of decoding in the last ten minutes, by step of the charge."""
    oldest = time.time() // STEP_SECONDS - STEPS
    return {
        step: seconds for step, seconds in cache.get(key, {}).items() if step > oldest
    }


def charge(key: str, before: dict[int, float], seconds: float) -> None:
    step = int(time.time() // STEP_SECONDS)
    used = before | {step: before.get(step, 0) + seconds}
    cache.set(key, used, STEPS * STEP_SECONDS)
    if cache.get(key) != used:  # Django's database cache hides errors when it writes
        raise RuntimeError("The cache did not store the value.")
