"""The worker outlives errors of its jobs, and ends after a signal."""

import faulthandler
import os
import signal
import time
from contextlib import nullcontext
from threading import Event
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from secure_django import jobs
from secure_django.jobs import Job
from secure_django.management.commands import worker
from secure_django.models import LastRun
from secure_django.testing import HANG_SECONDS


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_worker_leaves_a_job_that_does_not_end_in_time(
    name: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    handlers: dict[int, Any] = {}
    left = Event()

    def hang() -> None:
        for _ in range(2):  # people press Ctrl-C twice
            handlers[getattr(signal, name)](0, None)
        left.wait(HANG_SECONDS)

    settings.GRACE_SECONDS = worker.RESERVED_SECONDS
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(jobs, "JOBS", [Job(hang, 5, "")])
    monkeypatch.setattr(worker, "leave_jobs", left.set)
    call_command("worker")
    assert left.is_set()


@pytest.mark.django_db
def test_worker_that_leaves_a_job_is_not_taken_for_one_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    for name in (jobs.WORKER_HERE, Job(str, 5, "").row, "backup"):
        LastRun.objects.create(name=name, at=timezone.now())
    worker.leave_jobs()
    assert codes == [0]
    assert [run.name for run in LastRun.objects.all()] == ["backup"]


def test_worker_leaves_its_jobs_though_the_database_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = Event()
    monkeypatch.setattr(os, "_exit", lambda code: ended.set())
    monkeypatch.setattr(worker, "sign_off", lambda: ended.wait(HANG_SECONDS))
    monkeypatch.setattr(worker, "RESERVED_SECONDS", 0.1)
    monkeypatch.setattr(LastRun, "objects", Mock())
    before = time.monotonic()
    worker.leave_jobs()
    assert time.monotonic() - before < HANG_SECONDS


@pytest.mark.django_db
def test_worker_outlives_errors_and_ends_after_a_signal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handlers: dict[int, Any] = {}
    done: list[Any] = []
    results: Any = iter(
        [
            lambda: True,
            lambda: False,
            lambda: 1 / 0,
            lambda: handlers[signal.SIGTERM](15, None),
        ]
    )
    clock = iter(range(0, 1000, 5))

    def often() -> Any:
        done.append("often")
        return next(results)()

    class Stop(Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert len(done) < 50
            done.append(timeout)
            return self.is_set()

    for owner, name, replacement in (
        (signal, "signal", handlers.__setitem__),
        (
            jobs,
            "JOBS",
            [Job(often, 5, ""), Job(lambda: done.append("seldom"), 5000, "")],
        ),
        (worker, "Event", Stop),
        (worker, "close_old_connections", lambda: done.append("reconnect")),
        (time, "time", lambda: next(clock)),
        (
            faulthandler,
            "dump_traceback_later",
            lambda _, **options: done.append(options),
        ),
        (faulthandler, "cancel_dump_traceback_later", lambda: None),
        (worker, "recorded_run", nullcontext),
        (worker, "CONNECTION_SECONDS", 0),
    ):
        monkeypatch.setattr(owner, name, replacement)
    call_command("worker")
    beat = {"exit": True}  # ends the process if it hangs
    first = [0, beat, "often", "reconnect", beat, "seldom", "reconnect"]
    others = [beat, "often", "reconnect"]
    assert done == [*first, 0, *others, 5, *others, 5, *others, 5]
    assert set(handlers) == {signal.SIGINT, signal.SIGTERM}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
