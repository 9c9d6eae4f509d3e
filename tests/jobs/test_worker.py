"""The worker, which runs the jobs of all apps."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from unittest.mock import Mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import activate, get_language

from secure_django import jobs
from secure_django.jobs import Job, around, job
from secure_django.logging import JSONFormatter, request_id
from secure_django.management.commands import worker
from secure_django.models import LastRun
from secure_django.testing import HANG_SECONDS

NEXT_PERIOD_IN_YEARS = 10**9


class Stop(Event):
    """Fail the test of a worker that does not react to a signal."""

    def __init__(self) -> None:
        super().__init__()
        self.end = time.monotonic() + HANG_SECONDS

    def wait(self, timeout: float | None = None) -> bool:
        assert time.monotonic() < self.end, "no signal ends the worker"
        return super().wait(timeout)


@pytest.fixture
def own_jobs(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Job]]:
    """Leave only the jobs of the test, and return them."""
    names = (signal.SIGINT, signal.SIGTERM)
    # A signal that the worker does not handle must not end the tests.
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in names}
    own: list[Job] = []
    monkeypatch.setattr(jobs, "JOBS", own)
    monkeypatch.setattr(worker, "PAUSE", 0)
    monkeypatch.setattr(worker, "Event", Stop)
    monkeypatch.setattr(worker, "recorded_at", {})
    # This would close the test's transaction as one that was left open.
    monkeypatch.setattr(worker, "close_old_connections", Mock())
    yield own
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("every", "limit"), [(0, 60), (-1, 60), (60, 0)])
def test_job_without_a_pause_or_a_limit_is_refused(every: int, limit: int) -> None:
    with pytest.raises(ImproperlyConfigured, match="<lambda>: every and limit are"):
        job(every=every, limit=limit)(lambda: None)


@pytest.mark.control("V16.5.2")
def test_each_pass_gives_every_due_job_one_turn(
    own_jobs: list[Job], caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[tuple[str, str]] = []

    def add(name: str) -> None:
        calls.append((name, request_id.get()))

    @job(every=NEXT_PERIOD_IN_YEARS)
    def fails() -> None:
        add("fails")
        raise ZeroDivisionError

    @job(every=NEXT_PERIOD_IN_YEARS)
    def never_finishes() -> bool:
        add("never finishes")
        return len(calls) < 99

    @job(every=NEXT_PERIOD_IN_YEARS)
    def runs_once() -> None:
        add("runs once")

    @job(every=NEXT_PERIOD_IN_YEARS)
    def is_stopped() -> bool:
        if len(calls) > 5:
            signal.raise_signal(signal.SIGTERM)
        add("is stopped")
        return True

    @job(every=NEXT_PERIOD_IN_YEARS)
    def last() -> bool:
        add("last")
        return True

    call_command("worker")
    first = ["fails", "never finishes", "runs once", "is stopped", "last"]
    names = [name for name, _ in calls]
    numbers = {number for _, number in calls}
    assert names == [*first, "never finishes", "is stopped"]
    assert len(numbers) == len(calls)
    assert [record.getMessage() for record in caplog.records] == [
        f"a job failed: {own_jobs[0]}"
    ]


@pytest.mark.control("V16.5.2")
@pytest.mark.parametrize(
    "kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]
)
@pytest.mark.parametrize("options", [[], ["--once"]])
def test_job_fails_alone_whatever_it_raises(
    options: list[str],
    kind: type[BaseException],
    own_jobs: list[Job],
    caplog: pytest.LogCaptureFixture,
) -> None:
    @job(every=NEXT_PERIOD_IN_YEARS)
    def fails() -> None:
        raise kind

    @job(every=NEXT_PERIOD_IN_YEARS)
    def works() -> None:
        if not options:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(CommandError, match="fails") if options else nullcontext():
        call_command("worker", *options)
    assert caplog.messages == [f"a job failed: {own_jobs[0]}"]


def test_interrupt_ends_a_worker_that_runs_once(own_jobs: list[Job]) -> None:
    later: list[str] = []

    @job(every=NEXT_PERIOD_IN_YEARS)
    def is_interrupted() -> None:
        signal.raise_signal(signal.SIGINT)

    job(every=NEXT_PERIOD_IN_YEARS)(lambda: later.append("ran"))
    with pytest.raises(CommandError, match="Interrupted"):
        call_command("worker", "--once")
    assert not later
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # of the fixture


@pytest.mark.control("V16.5.2")
def test_job_changes_nothing_for_the_next_one(
    own_jobs: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", os.environ["TZ"])
    seen: list[object] = []

    def look() -> None:
        zone = timezone.get_current_timezone_name()
        environment = (os.environ["TZ"], time.tzname, Path.cwd())
        seen.append((zone, get_language(), connection.in_atomic_block, environment))

    def change() -> None:
        timezone.activate("Asia/Tokyo")
        activate("de")
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        if hasattr(time, "tzset"):
            time.tzset()
        os.chdir(tmp_path)
        transaction.atomic().__enter__()

    works = (look, change, look)
    own_jobs += [Job(work, NEXT_PERIOD_IN_YEARS, "") for work in works]
    with pytest.raises(CommandError, match=f"Failed: {own_jobs[1]}"):
        call_command("worker", "--once")
    assert seen[0] == seen[1]


@pytest.mark.control("status")
def test_job_that_fails_keeps_the_time_of_its_first_failure(
    own_jobs: list[Job],
) -> None:
    failures = LastRun.objects.filter(name__startswith="failing job ")
    results: list[bool] = [True, False, False]

    @job(every=1)
    def fails() -> None:
        if not results.pop():
            raise KeyboardInterrupt

    worker.run_job(own_jobs[0])
    first = failures.get()
    assert first.name == own_jobs[0].row_of_failures
    worker.run_job(own_jobs[0])
    assert failures.get().at == first.at
    worker.failing.clear()
    worker.jobs_in_order()  # as the next worker does
    worker.run_job(own_jobs[0])
    assert not failures.exists()


def test_errors_of_threads_and_objects_are_logged_without_their_text(
    own_jobs: list[Job],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail_in_thread() -> None:
        message = "the secret of Ann"
        raise ValueError(message)

    @job(every=1)
    def starts_thread() -> None:
        thread = Thread(target=fail_in_thread)
        thread.start()
        thread.join()

    call_command("worker", "--once")
    [record] = caplog.records
    line = JSONFormatter().format(record)
    assert "a thread or an object of a job has failed" in line
    assert "ValueError" in line
    assert "Ann" not in line
    assert "Ann" not in capfd.readouterr().err


def test_wrapper_is_around_each_job_and_sees_its_error(
    own_jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "AROUND", [])
    seen: list[str] = []

    @around
    @contextmanager
    def record(name: str) -> Iterator[None]:
        seen.append(f"begin {name}")
        try:
            yield
        except ZeroDivisionError:
            seen.append(f"error {name}")
            raise

    @job(every=60)
    def works() -> bool:
        return True

    @job(every=60)
    def fails() -> None:
        raise ZeroDivisionError

    assert [worker.run_job(one) for one in own_jobs] == [True, None]
    first, second = map(str, own_jobs)
    assert seen == [f"begin {first}", f"begin {second}", f"error {second}"]


@pytest.mark.control("emails")
@pytest.mark.usefixtures("own_jobs")
def test_slow_job_holds_up_no_other_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two threads would use the test's database.
    monkeypatch.setattr(worker, "recorded_run", nullcontext)
    monkeypatch.setattr(worker, "connection", Mock())
    fast_is_done = Event()
    waited = list[bool]()

    @job(every=NEXT_PERIOD_IN_YEARS)
    def slow() -> None:
        waited.append(fast_is_done.wait(HANG_SECONDS))
        signal.raise_signal(signal.SIGTERM)

    @job(every=NEXT_PERIOD_IN_YEARS, lane="fast")
    def fast() -> None:
        fast_is_done.set()

    call_command("worker")
    assert waited == [True]


@pytest.mark.control("emails")
def test_job_that_hangs_ends_the_worker_at_its_own_limit(
    own_jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[float | str] = []
    monkeypatch.setattr(
        "faulthandler.dump_traceback_later",
        lambda seconds, **options: ends.append(seconds),
    )
    monkeypatch.setattr(
        "faulthandler.cancel_dump_traceback_later", lambda: ends.append("none")
    )
    monkeypatch.setattr(worker, "time", Mock(monotonic=lambda: 1000))

    @job(every=1, limit=30)
    def runs() -> None:
        worker.run_job(own_jobs[1])  # as a thread of its own would

    @job(every=1, lane="other", limit=7)
    def hangs() -> None:
        ends.append("hangs")

    worker.run_job(own_jobs[0])
    assert ends == ["none", 30, "none", 7, "hangs", "none", 30, "none"]


@pytest.mark.control("V16.5.2")
@pytest.mark.usefixtures("own_jobs")
def test_database_that_is_away_is_reported_once_and_awaited(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([True, *[False] * 5, True, True, False])
    asked: list[bool] = []

    def connect() -> None:
        asked.append(next(answers))
        if not asked[-1]:
            raise OperationalError
        if len(asked) == 8:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(worker, "connection", Mock(ensure_connection=connect))
    monkeypatch.setattr(worker, "PAUSE", 0)
    runs: list[int] = []

    @job(every=NEXT_PERIOD_IN_YEARS)
    def first() -> None:
        runs.append(len(asked))

    @job(every=NEXT_PERIOD_IN_YEARS)
    def second() -> None:
        runs.append(len(asked))

    @job(every=NEXT_PERIOD_IN_YEARS)
    def last() -> None:
        runs.append(len(asked))

    call_command("worker")
    assert runs == [1, 7, 8]
    assert caplog.messages == [
        (
            "the database does not answer: no job runs until it does. The worker tries"
            " again every 0 seconds. Check the server and DATABASE_URL."
        ),
        "the database answers again",
    ]
    assert not any(record.exc_info for record in caplog.records)
    away = Mock(ensure_connection=Mock(side_effect=OperationalError))
    monkeypatch.setattr(worker, "connection", away)
    with pytest.raises(CommandError, match="The database does not answer: start it"):
        call_command("worker", "--once")


@pytest.mark.control("V16.5.2")
@pytest.mark.parametrize("options", [[], ["--once"]])
def test_job_that_hung_holds_up_no_other_in_the_next_worker(
    options: list[str], own_jobs: list[Job]
) -> None:
    calls: list[str] = []

    @job(every=NEXT_PERIOD_IN_YEARS)
    def hung() -> None:
        calls.append("hung")

    @job(every=NEXT_PERIOD_IN_YEARS)
    def other() -> None:
        calls.append("other")
        signal.raise_signal(signal.SIGTERM)

    LastRun.objects.create(name=own_jobs[0].row, at=timezone.now())
    call_command("worker", *options)
    assert calls[0] == "other"


@pytest.mark.control("status")
def test_job_keeps_the_time_of_its_start_until_it_ends(
    own_jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = LastRun.objects.filter(name__startswith="job ")
    rows: list[object] = []

    @job(every=1)
    def read_rows() -> None:
        rows.append(list(starts.values_list("name", "at")))
        raise ZeroDivisionError

    earlier = timezone.now() - timedelta(hours=1)
    name = own_jobs[0].row
    starts.create(name=name, at=earlier)
    for _ in range(2):  # at most once a minute
        worker.run_job(own_jobs[0])
        assert not starts.exists()
    assert rows == [[(name, earlier)], []]
    monkeypatch.setattr(worker, "RECORD_PAUSE", 0)
    worker.run_job(own_jobs[0])
    assert str(rows[2]).startswith(f"[('{name}', ")


@pytest.mark.control("V16.5.2")
def test_worker_reconnects_to_a_restarted_database(
    own_jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    reconnect = Mock()
    monkeypatch.setattr(worker, "close_old_connections", reconnect)
    calls: list[int] = []

    @job(every=NEXT_PERIOD_IN_YEARS)
    def fails() -> None:
        raise OperationalError

    @job(every=NEXT_PERIOD_IN_YEARS)
    def stop() -> None:
        calls.append(reconnect.call_count)
        signal.raise_signal(signal.SIGTERM)

    call_command("worker")
    assert calls == [1]


@pytest.mark.control("V16.5.2")
def test_connection_is_checked_once_a_second_and_after_each_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A check is a query, which short tasks one after the other would all pay."""
    checks = Mock()
    moments = iter([0, 0.5, 0.9, 1.0, 1.1, 1.9, 2.1])
    monkeypatch.setattr(worker, "close_old_connections", checks)
    monkeypatch.setattr(worker, "time", Mock(monotonic=lambda: next(moments)))
    database = worker.Database()
    counts: list[int] = []
    for has_failed in (False, False, False, False, True, False, False):
        database.check_later(has_failed=has_failed)
        counts.append(checks.call_count)
    assert counts == [1, 1, 1, 2, 3, 3, 4]


def test_worker_once_runs_every_job_to_its_end_and_names_those_that_fail(
    own_jobs: list[Job],
) -> None:
    results = [False, True, True]
    called_jobs = list[str]()

    @job(every=NEXT_PERIOD_IN_YEARS)
    def fails() -> None:
        sys.exit()

    job(every=NEXT_PERIOD_IN_YEARS)(results.pop)
    job(every=NEXT_PERIOD_IN_YEARS)(lambda: called_jobs.append("done"))
    with pytest.raises(
        CommandError,
        match=r"^Failed: tests\.jobs\.test_worker\.fails\. The log says why\.$",
    ):
        call_command("worker", "--once")
    assert (results, called_jobs) == ([], ["done"])
    own_jobs[:] = own_jobs[2:]
    call_command("worker", "--once")


def test_jobs_of_all_apps_are_found() -> None:
    assert {"secure_django.jobs", "secure_django.photos.jobs"} <= {
        job.work.__module__ for job in jobs.JOBS
    }


@pytest.mark.control("status")
@pytest.mark.django_db(transaction=True)  # the worker closes its connection
def test_worker_leaves_signs_while_it_runs(own_jobs: list[Job]) -> None:
    signs: list[set[str]] = []

    def stop() -> None:
        signs.append(set(LastRun.objects.values_list("name", flat=True)))
        signal.raise_signal(signal.SIGTERM)

    own_jobs[:] = [Job(jobs.leave_sign, 60, ""), Job(stop, NEXT_PERIOD_IN_YEARS, "")]
    call_command("worker")
    assert {"worker", jobs.WORKER_HERE} < signs[0]
    # The row of all workers stays, so that a restart does not look like an end.
    assert [run.name for run in LastRun.objects.all()] == ["worker"]
