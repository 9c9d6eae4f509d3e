"""Limits on decoding: `decoding_turn` applies them.

Nothing else in an upload costs as much as decoding.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread
from uuid import uuid4

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils import timezone

from secure_django.clock import CLOCK_DIFFERENCE
from secure_django.photos.images import (
    CPU_SECONDS,
    RETRY_SECONDS,
    decoding_ends_at,
    upload_error,
)
from secure_django.turns import Busy, Turns
from secure_django.user import User
from secure_django.web.client import client_network

MOST_WAITING = 2  # in each process, so that threads remain for pages
WAIT_SECONDS = 15
# Of GRACE_SECONDS: for requests that still arrive on open connections (2 seconds), and
# for what follows the decoding.
RESERVED_SECONDS = 4
# The lock of an account lasts this long after its process was killed.
LEASE_SECONDS = 4
RENEW_SECONDS = 1
# Decoding counts for ten minutes, in steps of ten seconds, so that the cache holds a
# bounded list.
STEP_SECONDS = 10
STEPS = 60
STEPS_AHEAD = CLOCK_DIFFERENCE.total_seconds() / STEP_SECONDS
decoding = Turns(MOST_WAITING, WAIT_SECONDS)

logger = logging.getLogger(__name__)


@contextmanager
def decoding_turn(owner: User, photos: int = 1) -> Iterator[list[float]]:
    """Hold the account's only upload and the process's only decoder.

    Raise the ValidationError that says why not. Yield a list for the CPU seconds that
    decoding uses. They are charged to the account and to the client's network.
    """
    check_quota(owner, photos)
    used: list[float] = []
    with locked_account(owner):
        try:
            with upload_deadline(), charged_decoder(owner, photos, used):
                yield used
        finally:
            if not used:  # refused
                with suppress(Exception):
                    cache.set(refusal_key(owner), True, RETRY_SECONDS - 1)


@contextmanager
def upload_deadline() -> Iterator[None]:
    """Let all photos be decoded in time, also those of several forms."""
    ends_at = min(decoding_ends_at.get(), time.monotonic() + upload_seconds())
    token = decoding_ends_at.set(ends_at)
    try:
        yield
    finally:
        decoding_ends_at.reset(token)


def upload_seconds() -> int:
    """Return how long an upload may take that ends before its process has to."""
    return int(settings.GRACE_SECONDS) - RESERVED_SECONDS


@contextmanager
def locked_account(owner: User) -> Iterator[None]:
    """Lock the account. Raise ValidationError if it has another upload.

    The lock is a lease that a thread renews, so it ends with a process that is killed.
    """
    lock_key = f"upload:{owner.pk}"
    holder = uuid4().hex
    with working_cache():
        if not cache.add(lock_key, holder, LEASE_SECONDS):
            raise upload_error("in_progress", retry_after=5)
    ended = Event()
    Thread(target=renew_lease, args=(lock_key, holder, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        with suppress(Exception):
            if cache.get(lock_key) == holder:
                cache.delete(lock_key)


def renew_lease(lock_key: str, holder: str, ended: Event) -> None:
    """Renew a lock until the upload has ended.

    Without the cache, the account may send another photo. This one goes on.
    """
    while not ended.wait(RENEW_SECONDS):
        with suppress(Exception):
            if cache.get(lock_key) == holder:
                # Unlike a new value, it cannot bring back a lock that was just deleted.
                cache.touch(lock_key, LEASE_SECONDS)
    close_connections()


def close_connections() -> None:
    """Close those of this thread, which a cache in the database has opened."""
    for database in connections.all(initialized_only=True):
        # Django's own method would leave a database in memory open, as tests have.
        if database.connection:
            database.connection.close()


def refusal_key(owner: User) -> str:
    return f"retry-after:{owner.pk}"


@contextmanager
def charged_decoder(owner: User, photos: int, used: list[float]) -> Iterator[None]:
    """Hold the process's only decoder, and charge the CPU seconds in `used`."""
    account_key = f"decoded:{owner.pk}"
    network_key = f"decoded:{client_network.get()}"
    with working_cache():
        account_steps = seconds_used(account_key)
        network_steps = seconds_used(network_key)
        ignored_retry_after = cache.get(refusal_key(owner), False)
    check_budget(account_steps)
    # In whole seconds, so that one or two photos do not rank an account behind clients
    # that ignore Retry-After.
    account_seconds = int(sum(account_steps.values()))
    network_seconds = int(sum(network_steps.values()))
    with decoder(account_seconds, network_seconds, ignored_retry_after):
        with working_cache():
            # In advance, so that a decoder that crashes this process is charged too.
            charge(account_key, account_steps, photos * CPU_SECONDS)
        try:
            yield
        finally:
            with suppress(Exception):  # the charge in advance remains
                charge(account_key, account_steps, sum(used))
                charge(network_key, seconds_used(network_key), sum(used))


def check_budget(steps: dict[int, float]) -> None:
    """Raise ValidationError if the account has used UPLOAD_DECODE_SECONDS."""
    if sum(steps.values()) < settings.UPLOAD_DECODE_SECONDS:
        return
    oldest_expires_at = (min(steps) + STEPS) * STEP_SECONDS
    wait_seconds = math.ceil(oldest_expires_at - time.time())
    wait_minutes = math.ceil(wait_seconds / 60)
    raise upload_error("budget", retry_after=wait_seconds, minutes=wait_minutes)


@contextmanager
def decoder(*used: float) -> Iterator[None]:
    """Hold this process's only decoder. The caller that has used least is next."""
    with ExitStack() as stack:
        try:
            # Two thirds of the time remain for the decoder.
            seconds = max(0, decoding_ends_at.get() - time.monotonic()) / 3
            stack.enter_context(decoding.hold(*used, at_most=seconds))
        except Busy:
            raise upload_error("busy", retry_after=RETRY_SECONDS) from None
        yield


def check_quota(owner: User, new: int = 1) -> None:
    """Raise ValidationError if `new` photos exceed the owner's UPLOADS_PER_HOUR."""
    now = timezone.now()
    recent = owner.photos.filter(created_at__gt=now - timedelta(hours=1)).count()
    if recent + new > settings.UPLOADS_PER_HOUR:
        # Photos of a clock that ran ahead would count until then.
        ahead = owner.photos.filter(created_at__gt=now + CLOCK_DIFFERENCE)
        ahead.update(created_at=now)
        raise upload_error("quota", photos=settings.UPLOADS_PER_HOUR)


@contextmanager
def working_cache() -> Iterator[None]:
    """Refuse the upload if the cache fails, so that the limits hold."""
    try:
        yield
    except ValidationError:
        raise
    except Exception:  # each cache driver raises exceptions of its own
        logger.exception("cache unavailable, uploads cannot be counted")
        raise upload_error("unavailable", retry_after=60) from None


def seconds_used(key: str) -> dict[int, float]:
    """Return the CPU seconds of the last ten minutes, by step of the charge.

    What a clock that ran ahead has charged counts as charged now.
    """
    present_step = int(time.time() // STEP_SECONDS)
    steps: dict[int, float] = cache.get(key, {})
    if any(step > present_step + STEPS_AHEAD for step in steps):
        steps = charged_at_most(steps, present_step)
        cache.set(key, steps, STEPS * STEP_SECONDS)
    oldest_step = present_step - STEPS
    return {step: seconds for step, seconds in steps.items() if step > oldest_step}


def charged_at_most(steps: dict[int, float], last_step: int) -> dict[int, float]:
    """Return steps with the later ones as the last."""
    earlier = {step: used for step, used in steps.items() if step < last_step}
    later = sum(used for step, used in steps.items() if step >= last_step)
    return earlier | {last_step: later}


def charge(key: str, steps: dict[int, float], seconds: float) -> None:
    """Store the steps with `seconds` added to the present one."""
    present_step = int(time.time() // STEP_SECONDS)
    present_seconds = steps.get(present_step, 0) + seconds
    charged = {**steps, present_step: present_seconds}
    cache.set(key, charged, STEPS * STEP_SECONDS)
    if cache.get(key) != charged:  # Django's database cache hides errors when it writes
        raise RuntimeError("The cache did not store the value.")
