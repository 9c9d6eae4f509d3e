"""A lock with a short queue: the caller that has used least gets it next."""

import itertools
import math
from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

# A caller in the queue: what it has used, and its number.
type Place = tuple[float, ...]


class Busy(Exception):
    """The queue is full of callers that have used less, or the wait was too long."""


class Turns:
    """Let one caller of this process work at a time.

    Each caller that waits holds a thread, so only `most_waiting` may wait.
    """

    def __init__(self, most_waiting: int, wait_seconds: float) -> None:
        self.most_waiting = most_waiting
        self.wait_seconds = wait_seconds
        self.is_taken = False
        self.waiting: list[Place] = []
        self.numbers = itertools.count()
        self.changed = Condition()

    @contextmanager
    def hold(self, *used: float, at_most: float = math.inf) -> Iterator[None]:
        """Hold the lock, or raise Busy, after `at_most` seconds at the latest.

        Among callers that have used the same, the first to come is next.
        """
        seconds = min(self.wait_seconds, at_most)
        with self.changed:
            place = (*used, next(self.numbers))
            insort(self.waiting, place)
            del self.waiting[self.most_waiting :]  # refuses the one that used most
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.is_decided(place), seconds)
            has_turn = self.is_next(place)
            if place in self.waiting:
                self.waiting.remove(place)
            if not has_turn:
                raise Busy
            self.is_taken = True
        try:
            yield
        finally:
            with self.changed:
                self.is_taken = False
                self.changed.notify_all()

    def is_decided(self, place: Place) -> bool:
        return place not in self.waiting or self.is_next(place)

    def is_next(self, place: Place) -> bool:
        return not self.is_taken and self.waiting[:1] == [place]
