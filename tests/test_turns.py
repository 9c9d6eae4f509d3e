"""A lock with a short queue, and its places for a burst."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from secure_django.testing import HANG_SECONDS, wait_until
from secure_django.turns import Burst, Busy, Turns


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(10) as executor:
        yield executor


def hold(turns: Turns, end: Event, name: object = None) -> str:
    try:
        with turns.hold(name=name):
            end.wait(HANG_SECONDS)
    except Busy:
        return "busy"
    return "done"


def start(
    pool: ThreadPoolExecutor, turns: Turns, end: Event, number: int
) -> list[Future[str]]:
    """Let this many callers come, one after the other, while one holds the lock."""
    first = pool.submit(hold, turns, end)
    wait_until(lambda: turns.is_taken)
    return [first, *(pool.submit(hold, turns, end) for _ in range(number - 1))]


def test_burst_waits_and_a_second_one_at_once_does_not(
    pool: ThreadPoolExecutor,
) -> None:
    turns = Turns(1, HANG_SECONDS, Burst(3, seconds=1000))
    for expected in (5, 2):
        end = Event()
        callers = start(pool, turns, end, 6)
        wait_until(lambda: sum(it.done() for it in callers) == 6 - expected)  # noqa: B023
        end.set()
        results = [caller.result(HANG_SECONDS) for caller in callers]
        assert results.count("done") == expected


def test_place_of_a_burst_is_free_again_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    burst = Burst(2, seconds=10)
    assert [burst.take() for _ in range(3)] == [True, True, False]
    now += 9
    assert not burst.take()
    now += 1
    assert [burst.take() for _ in range(2)] == [True, False]


def test_one_of_the_callers_with_a_name_waits(pool: ThreadPoolExecutor) -> None:
    turns = Turns(9, HANG_SECONDS)
    end = Event()
    first = pool.submit(hold, turns, end, "device")
    wait_until(lambda: turns.is_taken)
    second = pool.submit(hold, turns, end, "device")
    wait_until(lambda: turns.waiting)
    assert hold(turns, end, "device") == "busy"
    other = pool.submit(hold, turns, end, "other device")
    end.set()
    results = [it.result(HANG_SECONDS) for it in (first, second, other)]
    assert results == ["done"] * 3
    assert hold(turns, end, "device") == "done"
