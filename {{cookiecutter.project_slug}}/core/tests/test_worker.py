"""The worker, which runs the jobs of all apps."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.tasks import task
from pytest_django import Settings

from core import jobs
from core.jobs import Job, job
from core.logging import request_id
from core.management.commands import worker

NEXT_PERIOD_IN_YEARS = 10**9


@pytest.fixture
def own_jobs(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Job]]:
    """Leave only the jobs of the test, and return them."""
    handlers = {it: signal.getsignal(it) for it in (signal.SIGINT, signal.SIGTERM)}
    own: list[Job] = []
    monkeypatch.setattr(jobs, "JOBS", own)
    monkeypatch.setattr(worker, "HEARTBEAT", tmp_path / "heartbeat")
    monkeypatch.setattr(worker, "PAUSE", 0)
    yield own
    for it, handler in handlers.items():
        signal.signal(it, handler)


def test_each_pass_gives_every_due_job_one_turn(own_jobs: list[Job], caplog: pytest.LogCaptureFixture) -> None:
    done: list[tuple[str, str]] = []

    def add(name: str) -> None:
        done.append((name, request_id.get()))

    @job(every=NEXT_PERIOD_IN_YEARS)
    def fails() -> None:
        add("fails")
        raise ZeroDivisionError

    @job(every=NEXT_PERIOD_IN_YEARS)
    def never_finishes() -> bool:
        add("never finishes")
        return len(done) < 99

    @job(every=NEXT_PERIOD_IN_YEARS)
    def runs_once() -> None:
        add("runs once")

    @job(every=NEXT_PERIOD_IN_YEARS)
    def is_stopped() -> bool:
        if len(done) > 5:
            signal.raise_signal(signal.SIGTERM)
        add("is stopped")
        return True

    @job(every=NEXT_PERIOD_IN_YEARS)
    def last() -> bool:
        add("last")
        return True

    call_command("worker")
    first = ["fails", "never finishes", "runs once", "is stopped", "last"]
    assert [name for name, _ in done] == [*first, "never finishes", "is stopped"]
    assert len({number for _, number in done}) == len(done)
    assert [record.getMessage() for record in caplog.records] == [f"a job failed: {own_jobs[0]}"]
    assert worker.HEARTBEAT.exists()


@pytest.mark.control("emails")
@pytest.mark.usefixtures("own_jobs")
def test_slow_job_holds_up_no_other_lane() -> None:
    fast_is_done = Event()

    @job(every=NEXT_PERIOD_IN_YEARS)
    def slow() -> None:
        assert fast_is_done.wait(10)
        signal.raise_signal(signal.SIGTERM)

    @job(every=NEXT_PERIOD_IN_YEARS, lane="fast")
    def fast() -> None:
        fast_is_done.set()

    call_command("worker")
    assert fast_is_done.is_set()


@pytest.mark.control("emails")
def test_lane_that_hangs_ends_the_worker(own_jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[float] = []
    monkeypatch.setattr("faulthandler.dump_traceback_later", lambda seconds, exit: ends.append(seconds))
    monkeypatch.setattr(worker, "beats", {"hangs": time.monotonic() - 800})
    for _ in range(3):
        worker.beat("runs")
    assert [round(seconds) for seconds in ends] == [worker.STALE_SECONDS - 800] * 3


def test_worker_once_runs_every_job_to_its_end_and_names_those_that_fail(own_jobs: list[Job]) -> None:
    left, done = [False, True, True], list[str]()

    @job(every=NEXT_PERIOD_IN_YEARS)
    def fails() -> None:
        sys.exit()

    job(every=NEXT_PERIOD_IN_YEARS)(left.pop)
    job(every=NEXT_PERIOD_IN_YEARS)(lambda: done.append("done"))
    with pytest.raises(CommandError, match=r"^Failed: core\.tests\.test_worker\.fails\. The log says why\.$"):
        call_command("worker", "--once")
    assert (left, done) == ([], ["done"])
    own_jobs[:] = own_jobs[2:]
    call_command("worker", "--once")


def test_jobs_of_all_apps_are_found() -> None:
    assert {"core.jobs", "uploads.jobs"} <= {it.work.__module__ for it in jobs.JOBS}


def test_worker_check_fails_only_if_the_worker_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT", tmp_path / "heartbeat")
    with pytest.raises(CommandError, match="no heartbeat"):
        call_command("worker", "--check")
    worker.HEARTBEAT.touch()
    call_command("worker", "--check")
    os.utime(worker.HEARTBEAT, times=(time.time() - worker.STALE_SECONDS - 1,) * 2)
    with pytest.raises(CommandError, match="no heartbeat"):
        call_command("worker", "--check")


def test_task_without_a_worker_is_an_error(settings: Settings) -> None:
    with pytest.raises(ImproperlyConfigured, match="call_command: make this task a job"):
        task(call_command)
    settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}
    task(call_command)
