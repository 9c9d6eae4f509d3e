"""The worker outlives errors of its jobs, and ends after a signal."""

import faulthandler
import signal
import time
from contextlib import nullcontext
from threading import Event
from typing import Any

import pytest
from django.core.management import call_command

from secure_django import jobs
from secure_django.jobs import Job
from secure_django.management.commands import worker


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
    ):
        monkeypatch.setattr(owner, name, replacement)
    call_command("worker")
    beat = {"exit": True}  # ends the process if it hangs
    first = [0, beat, "often", "reconnect", beat, "seldom", "reconnect"]
    others = [beat, "often", "reconnect"]
    assert done == [*first, 0, *others, 5, *others, 5, *others, 5]
    assert set(handlers) == {signal.SIGINT, signal.SIGTERM}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
