"""A lock with a short queue: the caller that has used least gets it next."""

import itertools
import math
import time
from bisect import insort
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Condition

# A caller in the queue: what it has used, and its number.
type Place = tuple[float, ...]


class Busy(Exception):
    """The queue is full of callers that have used less, or the wait was too long."""


class Burst:
    """Places beyond those of a queue, for callers that come together once.

    There are `most`. A place that was taken is free again after `seconds`, one after
    the other, so that a flood has none.
    """

    def __init__(self, most: int = 0, seconds: float = 1) -> None:
        self.most = most
        self.seconds = seconds
        self.taken = 0.0
        self.counted_at = time.monotonic()

    def take(self) -> bool:
        """Take a place, or return False if there is none."""
        now = time.monotonic()
        freed = (now - self.counted_at) / self.seconds
        self.counted_at = now
        self.taken = max(0.0, self.taken - freed)
        if self.taken + 1 > self.most:
            return False
        self.taken += 1
        return True


class Turns:
    """Let one caller of this process work at a time.

    Each caller that waits holds a thread. So only `most_waiting` may wait for long, and
    more in a burst.
    """

    def __init__(
        self, most_waiting: int, wait_seconds: float, burst: Burst | None = None
    ) -> None:
        self.most_waiting = most_waiting
        self.wait_seconds = wait_seconds
        self.burst = burst or Burst()
        self.is_taken = False
        self.waiting: list[Place] = []
        self.names: set[Hashable] = set()  # of callers that wait
        self.numbers = itertools.count()
        self.changed = Condition()

    @contextmanager
    def hold(
        self, *used: float, name: Hashable = None, at_most: float = math.inf
    ) -> Iterator[None]:
        """Hold the lock, or raise Busy, after `at_most` seconds at the latest.

        Among callers that have used the same, the first to come is next. Of callers
        with the same name, one may wait.
        """
        seconds = min(self.wait_seconds, at_most)
        with self.changed:
            self.wait_for_turn((*used, next(self.numbers)), name, seconds)
            self.is_taken = True
        try:
            yield
        finally:
            with self.changed:
                self.is_taken = False
                self.changed.notify_all()

    def wait_for_turn(self, place: Place, name: Hashable, seconds: float) -> None:
        """Return when the place is next, or raise Busy."""
        if name is not None and name in self.names:
            raise Busy
        self.names.add(name)
        insort(self.waiting, place)
        if len(self.waiting) > self.most_waiting and not self.burst.take():
            self.waiting.pop()  # refuses the one that used most
        self.changed.notify_all()
        try:
            self.changed.wait_for(lambda: self.is_decided(place), seconds)
            if not self.is_next(place):
                raise Busy
        finally:
            self.names.discard(name)
            if place in self.waiting:
                self.waiting.remove(place)

    def is_decided(self, place: Place) -> bool:
        return place not in self.waiting or self.is_next(place)

    def is_next(self, place: Place) -> bool:
        return not self.is_taken and self.waiting[:1] == [place]
