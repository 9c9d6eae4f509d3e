import faulthandler
import logging
import os
import signal
import socket
import time
from argparse import ArgumentParser
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from core import jobs
from core.jobs import WORKER_HERE, Job
from core.logging import request_id
from core.models import LastRun

logger = logging.getLogger(__name__)
PAUSE = 5  # seconds between two passes, unless a job is due more often
STALE_SECONDS = 15 * 60  # longer than the slowest job takes
beats: dict[str, float] = {}  # when each lane has begun its last job
beating = Lock()


class Command(BaseCommand):
    help = (
        "Run the jobs of all apps when they are due. Several workers can run at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="run all jobs, and stop (for cron)"
        )

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        if once:
            run_once()
        else:
            run_until_signal()


def run_once() -> None:
    """Run each job until it has nothing more to do, or has failed."""
    left, failed = list(jobs.JOBS), []
    while left:
        results = {job: run(job) for job in left}
        left = [job for job, more in results.items() if more]
        failed += [str(job) for job, more in results.items() if more is None]
    if failed:
        raise CommandError(f"Failed: {', '.join(failed)}. The log says why.")


def run_until_signal() -> None:
    """Run the jobs that are due until a signal stops the process.

    It stops after the present jobs. Each lane has a thread.
    """
    stop = Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    lanes = {job.lane for job in jobs.JOBS} - {""}
    threads = [Thread(target=run_lane, args=(lane, stop)) for lane in lanes]
    for thread in threads:
        thread.start()
    run_lane("", stop)
    for thread in threads:
        thread.join()
    faulthandler.cancel_dump_traceback_later()
    with suppress(DatabaseError):  # then it counts as silent, for a day
        LastRun.objects.filter(name=WORKER_HERE).delete()


def run_lane(lane: str, stop: Event) -> None:
    """Run the due jobs of a lane, each once in a pass.

    An unexpected error ends all lanes.
    """
    own = [job for job in jobs.JOBS if job.lane == lane]
    pause, done = 0, dict[Job, float]()  # the period in which each job was done last
    try:
        while not stop.wait(pause):
            pause = min([PAUSE, *(job.every for job in own)])
            for job in own:
                beat(lane)
                period = time.time() // job.every
                if done.get(job) != period and not stop.is_set():
                    done[job] = period
                    if run(job):
                        del done[job]
                        pause = 0
                    # The next job reconnects if the database was restarted.
                    close_old_connections()
    finally:
        stop.set()
        with beating:
            beats.pop(lane, None)


def run(job: Job) -> bool | None:
    """Run a job, and return whether it has more to do.

    Return None if it failed, which stops no other job.
    """
    request_id.set(uuid4().hex)
    try:
        return job.work() is True
    except (Exception, SystemExit):
        logger.exception("a job failed: %s", job)
        return None


def beat(lane: str) -> None:
    notify_systemd()
    with beating:
        beats[lane] = time.monotonic()
        left = min(beats.values()) + STALE_SECONDS - beats[lane]
        # Ends a process in which a lane hangs: its supervisor starts another one.
        faulthandler.dump_traceback_later(max(left, 0.001), exit=True)


def notify_systemd() -> None:
    """Tell systemd that the worker runs (see sd_notify(3)).

    A process that was stopped has no timers of its own.
    """
    if path := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.connect(path.replace("@", "\0", 1))
            server.send(b"READY=1\nWATCHDOG=1")
