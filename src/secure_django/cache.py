"""The caches of CACHE_URL, in which a clock that ran ahead limits nobody for long.

allauth keeps the times of requests under a limit, and stores none that it refuses. A
time ahead would count until then, so it is stored again as now.
"""

import time
from typing import Any

from django.core.cache.backends import db, redis

from secure_django.clock import CLOCK_DIFFERENCE

LIMITS = "allauth:rl:"  # how allauth begins the key of a limit
LONGEST_LIMIT = 24 * 60 * 60  # seconds, of ACCOUNT_RATE_LIMITS
AHEAD = CLOCK_DIFFERENCE.total_seconds()


def as_now(moments: list[float]) -> list[float]:
    """Return times with those that are ahead as now."""
    now = time.time()
    return [now if moment > now + AHEAD else moment for moment in moments]


class DatabaseCache(db.DatabaseCache):
    """Django's cache in the database, without times ahead under limits."""

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        value = super().get(key, default, version)
        return store_as_now(self, key, value, version)


class RedisCache(redis.RedisCache):
    """Django's cache in Redis, without times ahead under limits."""

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        value = super().get(key, default, version)
        return store_as_now(self, key, value, version)


def store_as_now(cache: Any, key: str, value: Any, version: int | None) -> Any:
    """Return a value; store it again if it has times ahead."""
    if not (key.startswith(LIMITS) and isinstance(value, list)):
        return value
    moments = as_now(value)
    if moments != value:
        cache.set(key, moments, LONGEST_LIMIT, version)
    return moments
