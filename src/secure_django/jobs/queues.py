"""The queues of Django's tasks, which the worker runs.

A worker claims a row, keeps the claim while the task runs, and writes the result only
if no other worker has claimed the row since. A task whose worker was killed, or that
raised an error, is repeated after a pause, and given up after the last attempt. So a
task must be safe to repeat.
"""

import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any

from django.db import DatabaseError, connection
from django.tasks import Task, TaskContext, TaskResult, TaskResultStatus, task_backends
from django.tasks.signals import task_finished, task_started
from django.utils import timezone
from django.utils.json import normalize_json

from secure_django import jobs
from secure_django.due import DueQuerySet
from secure_django.jobs.tasks import DatabaseBackend, Queue, find_task, make_result
from secure_django.models import QueuedTask

logger = logging.getLogger(__name__)
# After its worker was killed, another one claims a task within this time.
CLAIM = timedelta(minutes=1)
RENEWAL = 20  # seconds
# While a release goes on, an older worker does not have the new code yet.
UNKNOWN_FOR = timedelta(days=1)
UNKNOWN_PAUSE = timedelta(minutes=1)
RETENTION = timedelta(days=7)
NO_RESULT = "Its worker ended, or it took more than {seconds} seconds, {times} times."
NO_TASK = "The code has no task of this name."


def register_queues() -> None:
    """Make each worker run the queues of each backend, each in a lane of its own."""
    for backend in task_backends.all():
        if isinstance(backend, DatabaseBackend):
            for name in sorted(backend.queues):
                queue = backend.find_queue(name)
                jobs.JOBS.append(make_job(queue))


def make_job(queue: Queue) -> jobs.Job:
    """Return the job that runs the tasks of a queue."""

    def work() -> bool:
        return run_next(queue)

    work.__module__ = __name__
    work.__name__ = f"run_{queue.backend}_{queue.name}"
    lane = f"tasks {queue.backend} {queue.name}"
    return jobs.Job(work, every=1, lane=lane, limit=queue.seconds)


def run_next(queue: Queue) -> bool:
    """Run the next task of a queue, and return whether there may be another."""
    rows = QueuedTask.objects.filter(backend=queue.backend, queue=queue.name)
    claimed = rows.order_by("-priority", "turn").claim(1, CLAIM)
    if not claimed:
        return False
    [row] = claimed
    if is_full(queue):
        give_back(row, timedelta(seconds=1))
        return False
    task = find_task(row.name)
    if task is None:
        postpone_unknown(row)
    elif row.attempts > queue.attempts:
        times = queue.attempts
        give_up(row, NO_RESULT.format(seconds=queue.seconds, times=times))
    else:
        run_row(row, task, queue)
    return True


def is_full(queue: Queue) -> bool:
    """Return whether a queue has more claims than it allows, with the newest one.

    Each worker looks after its own claim: of two at the same time, one or both wait.
    """
    if queue.at_once is None:
        return False
    now = timezone.now()
    rows = QueuedTask.objects.filter(backend=queue.backend, queue=queue.name)
    return rows.filter(claimed_until__gt=now).count() > queue.at_once


def own_row(row: QueuedTask) -> DueQuerySet[QueuedTask]:
    """Return the row, unless another worker has claimed it since."""
    claimed = QueuedTask.objects.filter(pk=row.pk, claimed_until__isnull=False)
    return claimed.filter(attempts=row.attempts)  # each claim counts as one


@contextmanager
def keeping_claim(row: QueuedTask) -> Iterator[None]:
    """Renew the claim as long as this process works on the row."""
    stop = Event()

    def renew() -> None:
        try:
            while not stop.wait(RENEWAL):
                own_row(row).update(claimed_until=timezone.now() + CLAIM)
        except DatabaseError:  # then the result cannot be written either
            logger.exception("the claim of a task cannot be renewed: %s", row.name)
        finally:
            connection.close()

    thread = Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def give_back(row: QueuedTask, pause: timedelta) -> None:
    """End a claim that counts as no attempt."""
    due_at = timezone.now() + pause
    attempts = row.attempts - 1
    own_row(row).update(claimed_until=None, attempts=attempts, due_at=due_at)


def postpone_unknown(row: QueuedTask) -> None:
    """Leave a task to a worker with other code; give it up after a day."""
    if row.due_at and timezone.now() > row.enqueued_at + UNKNOWN_FOR:
        give_up(row, NO_TASK)
    else:
        give_back(row, UNKNOWN_PAUSE)


def give_up(row: QueuedTask, reason: str) -> None:
    """Record why a task is not tried again."""
    given_up = own_row(row).update(
        status=TaskResultStatus.FAILED,
        reason=reason,
        finished_at=timezone.now(),
        due_at=None,
        claimed_until=None,
    )
    if given_up:
        logger.error("task given up: %s: %s", row.name, reason)


def run_row(row: QueuedTask, task: Task, queue: Queue) -> None:
    """Run a claimed task, and write what came of it."""
    now = timezone.now()
    row.status = TaskResultStatus.RUNNING
    row.started_at = row.started_at or now
    row.last_attempted_at = now
    row.workers = [*row.workers, jobs.WORKER_HERE]
    own_row(row).update(
        status=row.status,
        started_at=row.started_at,
        last_attempted_at=now,
        workers=row.workers,
    )
    result = make_result(row, task)
    task_started.send(DatabaseBackend, task_result=result)
    try:
        with keeping_claim(row):
            value = json.dumps(normalize_json(call(result)))
    except (Exception, SystemExit) as error:
        record_error(row, task, queue, error)
    else:
        record_success(row, task, value)


def call(result: TaskResult) -> Any:
    """Call the function of a task."""
    args = result.args
    if result.task.takes_context:
        args = [TaskContext(task_result=result), *args]
    return result.task.call(*args, **result.kwargs)


def record_success(row: QueuedTask, task: Task, value: str) -> None:
    row.status = TaskResultStatus.SUCCESSFUL
    row.finished_at = timezone.now()
    row.result = value
    finished = own_row(row).update(
        status=row.status,
        finished_at=row.finished_at,
        result=value,
        due_at=None,
        claimed_until=None,
    )
    announce(row, task, finished)


def record_error(
    row: QueuedTask, task: Task, queue: Queue, error: BaseException
) -> None:
    """Repeat a task later, or give it up after the last attempt."""
    kind = type(error)
    described = {
        "exception_class_path": f"{kind.__module__}.{kind.__qualname__}",
        "traceback": "".join(traceback.format_exception(error)),
    }
    errors = [*json.loads(row.errors or "[]"), described]
    row.errors = json.dumps(errors)
    row.reason = describe_error(error)
    is_last = row.attempts >= queue.attempts
    if is_last:
        row.status = TaskResultStatus.FAILED
        row.finished_at = timezone.now()
    else:
        row.status = TaskResultStatus.READY
    recorded = own_row(row).update(
        status=row.status,
        finished_at=row.finished_at,
        errors=row.errors,
        reason=row.reason,
        due_at=None if is_last else row.next_attempt(),
        claimed_until=None,
    )
    if is_last:
        announce(row, task, recorded)
    else:
        logger.warning("task failed, and will be repeated: %s", row.name, exc_info=True)


def describe_error(error: BaseException) -> str:
    """Return the class of an error and its place, without a value of its text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"[-255:]


def announce(row: QueuedTask, task: Task, recorded: int) -> None:
    """Tell receivers that a task has ended, unless another worker has taken it over."""
    if recorded:
        task_finished.send(DatabaseBackend, task_result=make_result(row, task))


@jobs.job(every=3600)
def delete_finished() -> None:
    """Delete the rows of tasks that ended a week ago."""
    old = timezone.now() - RETENTION
    QueuedTask.objects.filter(finished_at__lt=old).delete()
