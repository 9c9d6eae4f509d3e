import faulthandler
import logging
import math
import os
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from threading import Event, Lock, Thread, Timer
from types import FrameType
from typing import Any, Never
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, Error, close_old_connections, connection
from django.utils import timezone

from secure_django import jobs
from secure_django.jobs import HERE, WORKER_HERE, Job, isolation, keepalive
from secure_django.logging import request_id
from secure_django.models import LastRun

logger = logging.getLogger(__name__)
CONNECTION_SECONDS = 1  # after which a lane checks its connection before a job
PAUSE = 5  # seconds between two passes, unless a job is due more often
GRACE_SECONDS = 60  # in a project without secure_django.conf.defaults
# Of GRACE_SECONDS, for the process to end.
RESERVED_SECONDS = 2
RECORD_PAUSE = 60  # seconds between two records of a job: some run each second
recorded_at: dict[Job, float] = {}
failing: set[Job] = set()  # jobs with a row of failures
deadlines: dict[str, float] = {}  # of the present job of each lane
watching = Lock()


class Command(BaseCommand):
    help = (
        "Run the jobs of all apps when they are due. Several workers can run at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="run all jobs, and stop (for cron)"
        )

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        with isolation.keeping_process_state(), logging_all_errors():
            if once:
                run_once()
            else:
                run_until_signal()


@contextmanager
def logging_all_errors() -> Iterator[None]:
    """Log what the threads of a job raise: Python would print the text of an error."""
    hooks = (threading.excepthook, sys.unraisablehook)
    threading.excepthook = log_error_of_thread
    sys.unraisablehook = log_error_of_thread
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks


def log_error_of_thread(error: Any) -> None:
    """Log an error that no code can handle: of a thread, or of the end of an object."""
    if error.exc_value is None or issubclass(error.exc_type, SystemExit):
        return
    details = (error.exc_type, error.exc_value, error.exc_traceback)
    logger.error("a thread or an object of a job has failed", exc_info=details)


@contextmanager
def noticing_interrupt() -> Iterator[Event]:
    """Set the event at Ctrl+C, beside its exception, which a job can raise itself."""
    was_interrupted = Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        was_interrupted.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield was_interrupted  # only the main thread may handle signals
        return
    handler = signal.signal(signal.SIGINT, interrupt)
    try:
        yield was_interrupted
    finally:
        signal.signal(signal.SIGINT, handler)


def run_once() -> None:
    """Run each job until it has nothing more to do, or has failed."""
    try:
        connection.ensure_connection()
    except DatabaseError:
        text = "The database does not answer: start it, or check DATABASE_URL."
        raise CommandError(text) from None
    with noticing_interrupt() as was_interrupted:
        failed = run_to_the_end(jobs_in_order(), was_interrupted)
    if was_interrupted.is_set():
        raise CommandError("Interrupted. What has not ended runs the next time.")
    if failed:
        raise CommandError(f"Failed: {', '.join(failed)}. The log says why.")


def run_to_the_end(waiting: list[Job], was_interrupted: Event) -> list[str]:
    """Run jobs until none has more to do, and return the names of those that failed."""
    failed: list[str] = []
    while waiting:
        more: list[Job] = []
        for job in waiting:
            has_more = run_job(job)
            if was_interrupted.is_set():
                return failed
            if has_more:
                more.append(job)
            elif has_more is None:
                failed.append(str(job))
        waiting = more
    return failed


def run_until_signal() -> None:
    """Run the jobs that are due until a signal stops the process.

    The process stops after the present jobs, or when GRACE_SECONDS are over. Each lane
    has a thread. The handler of a signal raises nothing, so what a job raises is never
    a signal.
    """
    stop = Event()
    ordered = jobs_in_order()
    grace_seconds = getattr(settings, "GRACE_SECONDS", GRACE_SECONDS)
    deadline = Timer(grace_seconds - RESERVED_SECONDS, leave_jobs)
    deadline.daemon = True

    def stop_in_time(*_: object) -> None:
        stop.set()
        if deadline.ident is None:  # the first signal
            deadline.start()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop_in_time)
    let_children_connect()
    others = set(threading.enumerate())
    lanes = {job.lane for job in jobs.JOBS} - {""}
    threads = [Thread(target=run_lane, args=(lane, ordered, stop)) for lane in lanes]
    for thread in threads:
        thread.start()
    run_lane("", ordered, stop)
    for thread in threads:
        thread.join()
    sign_off()
    left = {thread for thread in threading.enumerate() if not thread.daemon} - others
    if not left:
        deadline.cancel()
    elif deadline.ident is None:  # such a thread may hold up the end of this process
        deadline.start()


@cache
def let_children_connect() -> None:
    """Give forked child processes connections of their own, from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=isolation.leave_connections)


def sign_off() -> None:
    with suppress(DatabaseError):  # then `status` reports this worker for a day
        LastRun.objects.filter(name=WORKER_HERE).delete()


def leave_jobs() -> Never:
    """Exit within a job, before the supervisor kills the process.

    Each job is safe to repeat.
    """
    logger.warning("a job has not ended in time, so it will be repeated")
    # The database may be what the job waits for.
    end = Timer(RESERVED_SECONDS / 2, os._exit, [0])
    end.daemon = True
    end.start()
    try:
        sign_off()
        with suppress(DatabaseError):  # the jobs do not hang
            rows = LastRun.objects.filter(name__startswith="job ")
            rows.filter(name__endswith=HERE).delete()
    finally:
        os._exit(0)


def jobs_in_order() -> list[Job]:
    """Return all jobs, with those last that have not ended on this machine.

    Such a job may hang until its limit ends the worker again. In the last place, it
    delays no other job of its lane.
    """
    rows = LastRun.objects.filter(name__endswith=HERE)
    names: set[str] = set()
    with suppress(DatabaseError):  # each job then fails, until the database is back
        names.update(rows.values_list("name", flat=True))
    failing.update(job for job in jobs.JOBS if job.row_of_failures in names)
    return sorted(jobs.JOBS, key=lambda job: job.row in names)


class Database:
    """Whether the database answers a lane. Each outage is logged once."""

    def __init__(self) -> None:
        self.was_up = True
        self.checked_at = -math.inf

    def answers(self) -> bool:
        """Connect, unless the lane has a connection."""
        try:
            connection.ensure_connection()
            is_up = True
        except Error:
            is_up = False
        if self.was_up and not is_up:
            logger.error(
                "the database does not answer: no job runs until it does. The worker"
                " tries again every %d seconds. Check the server and DATABASE_URL.",
                PAUSE,
            )
        elif is_up and not self.was_up:
            logger.warning("the database answers again")
        self.was_up = is_up
        return is_up

    def check_later(self, has_failed: bool) -> None:
        """Let the next job reconnect if the database was restarted.

        A check is a query, so that it is left out between jobs that work and are short.
        """
        now = time.monotonic()
        if has_failed or now >= self.checked_at + CONNECTION_SECONDS:
            self.checked_at = now
            close_old_connections()


def run_lane(lane: str, ordered: list[Job], stop: Event) -> None:
    """Run the due jobs of a lane, each once in a pass.

    An unexpected error ends all lanes.
    """
    own_jobs = [job for job in ordered if job.lane == lane]
    shortest_pause = min([PAUSE, *(job.every for job in own_jobs)])
    last_periods: dict[Job, float] = {}  # in which each job ran last
    database = Database()
    pause = 0
    try:
        while not stop.wait(pause):
            keepalive.notify_systemd()
            pause = shortest_pause
            for job in own_jobs:
                period = time.time() // job.every
                if stop.is_set() or last_periods.get(job) == period:
                    continue
                if not database.answers():
                    pause = PAUSE
                    break
                last_periods[job] = period
                has_more = run_job(job)
                if has_more:
                    del last_periods[job]
                    pause = 0
                database.check_later(has_failed=has_more is None)
    except BaseException:
        logger.exception("the worker ends, since its lane %r has failed", lane)
        raise SystemExit(1) from None
    finally:
        stop.set()


def run_job(job: Job) -> bool | None:
    """Run a job, and return whether it has more to do.

    Return None if it failed, whatever it has raised. That stops no other job.
    """
    request_id.set(uuid4().hex)
    try:
        with within_limit(job), recorded_run(job):
            return isolation.run_alone(partial(call_job, job)) is True
    except BaseException:
        logger.exception("a job failed: %s", job)
        return None


def call_job(job: Job) -> object:
    with ExitStack() as stack:
        for wrapper in jobs.AROUND:
            stack.enter_context(wrapper(str(job)))
        return job.work()


@contextmanager
def within_limit(job: Job) -> Iterator[None]:
    """Exit if the job exceeds its limit: the supervisor starts a new worker."""
    watch_lane(job.lane, job.limit)
    try:
        yield
    finally:
        watch_lane(job.lane, math.inf)


def watch_lane(lane: str, seconds: float) -> None:
    """Give a lane `seconds`. Then log the stack of each thread, and exit."""
    with watching:
        now = time.monotonic()
        deadlines[lane] = now + seconds
        seconds_left = min(deadlines.values()) - now
        faulthandler.cancel_dump_traceback_later()
        if seconds_left < math.inf:
            faulthandler.dump_traceback_later(max(seconds_left, 0.001), exit=True)


@contextmanager
def recorded_run(job: Job) -> Iterator[None]:
    """Keep a row while the job runs, and one from its first failure to its success."""
    try:
        with row_while_running(job):
            yield
    except BaseException:
        with suppress(Error):
            now = timezone.now()
            rows = LastRun.objects
            rows.get_or_create(name=job.row_of_failures, defaults={"at": now})
            failing.add(job)
        raise
    if job in failing:
        LastRun.objects.filter(name=job.row_of_failures).delete()
        failing.discard(job)


@contextmanager
def row_while_running(job: Job) -> Iterator[None]:
    """Keep a row while the job runs.

    A row that remains shows `status` and the next worker that the job has not ended.
    """
    now = time.monotonic()
    last_record = recorded_at.get(job, -math.inf)
    if now < last_record + RECORD_PAUSE:
        yield
        return
    recorded_at[job] = now
    # The row of an earlier run that has not ended stays as it is.
    LastRun.objects.get_or_create(name=job.row, defaults={"at": timezone.now()})
    try:
        yield
    finally:
        LastRun.objects.filter(name=job.row).delete()
