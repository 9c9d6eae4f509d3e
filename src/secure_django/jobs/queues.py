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
from functools import partial
from threading import Event, Thread
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.tasks import Task, TaskContext, TaskResult, TaskResultStatus, task_backends
from django.tasks.signals import task_finished, task_started
from django.utils import timezone
from django.utils.json import normalize_json

from secure_django import jobs
from secure_django.clock import CLOCK_DIFFERENCE, shared_time
from secure_django.due import DueQuerySet, pause_after
from secure_django.encryption import Unreadable
from secure_django.jobs.isolation import run_alone
from secure_django.jobs.tasks import (
    DatabaseBackend,
    Queue,
    find_problems,
    find_task,
    make_result,
    read_json,
    write_json,
)
from secure_django.models import QueuedTask

logger = logging.getLogger(__name__)
# After its worker was killed, another one claims a task within this time.
CLAIM = timedelta(minutes=1)
RENEWAL = 20  # seconds
# While a release goes on, an older worker does not have the new code yet.
UNKNOWN_FOR = timedelta(days=1)
UNKNOWN_PAUSE = timedelta(minutes=1)
RETENTION = timedelta(days=7)
# Of the end of a traceback, which names the place. The text of an error has any size.
TRACEBACK_LENGTH = 10_000
NO_RESULT = "Its worker ended, or it took more than {seconds} seconds, {times} times."
NO_TASK = "The code has no task of this name."
NO_QUEUE = "No worker has its queue: TASKS of the settings lacks it."


def find_queues() -> Iterator[Queue]:
    """Yield the queues of each backend that keeps its tasks in the database."""
    for backend in task_backends.all():
        # The check E701 stops the worker otherwise, with a sentence.
        if isinstance(backend, DatabaseBackend) and not any(find_problems(backend)):
            for name in sorted(backend.queues):
                yield backend.find_queue(name)


def register_queues() -> None:
    """Make each worker run the queues, each in a lane of its own."""
    jobs.JOBS.extend(make_job(queue) for queue in find_queues())


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
    if queue.at_once and count_claims(queue) >= queue.at_once:
        return False
    rows = rows_of(queue).order_by("-priority", "turn")
    claimed = rows.claim(1, CLAIM)
    if not claimed:
        return False
    [row] = claimed
    # Each worker looks after its own claim: of two at the same time, one or both wait.
    if queue.at_once and count_claims(queue) > queue.at_once:
        give_back(row, timedelta(seconds=1))
        return False
    task = find_task(row.name)
    if task is None:
        postpone_unknown(row)
    elif row.tries > queue.attempts:
        times = queue.attempts
        give_up(row, NO_RESULT.format(seconds=queue.seconds, times=times))
    else:
        run_row(row, task, queue)
    return True


def rows_of(queue: Queue) -> DueQuerySet[QueuedTask]:
    return QueuedTask.objects.filter(backend=queue.backend, queue=queue.name)


def count_claims(queue: Queue) -> int:
    """Return how many tasks of a queue run now."""
    rows = rows_of(queue)
    now = shared_time(rows.db)
    # A claim that ends later is of a clock that ran ahead.
    present = (now, now + CLAIM + CLOCK_DIFFERENCE)
    return rows.filter(claimed_until__range=present).count()


def own_row(row: QueuedTask) -> DueQuerySet[QueuedTask]:
    """Return the row, unless another worker has claimed it since."""
    claimed = QueuedTask.objects.filter(pk=row.pk, claimed_until__isnull=False)
    return claimed.filter(attempts=row.attempts)  # each claim counts as one


@contextmanager
def keeping_claim(row: QueuedTask) -> Iterator[None]:
    """Renew the claim as long as this process works on the row."""
    stop = Event()
    thread = Thread(target=renew_claim, args=(row, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def renew_claim(row: QueuedTask, stop: Event) -> None:
    """Renew a claim again and again, until `stop` or until another worker has it."""
    if stop.wait(RENEWAL):
        return  # most tasks are short, and this thread has no connection yet
    try:
        while renew_once(row) and not stop.wait(RENEWAL):
            pass
    finally:
        connection.close()


def renew_once(row: QueuedTask) -> bool:
    """Renew a claim, and return False if another worker has it."""
    try:
        rows = own_row(row)
        return bool(rows.update(claimed_until=shared_time(rows.db) + CLAIM))
    except Exception as error:  # the next try may come before the claim ends
        name = type(error).__name__
        logger.warning("the claim of a task was not renewed: %s: %s", row.name, name)
        connection.close()
        return True


def give_back(row: QueuedTask, pause: timedelta) -> None:
    """End a claim that counts as no attempt."""
    due_at = timezone.now() + pause
    attempts = row.attempts - 1
    own_row(row).update(claimed_until=None, attempts=attempts, due_at=due_at)


def postpone_unknown(row: QueuedTask) -> None:
    """Leave a task to a worker with other code; give it up after a day."""
    now = timezone.now()
    since = row.unknown_since or now
    if now > since + UNKNOWN_FOR:
        give_up(row, NO_TASK)
    else:
        own_row(row).update(unknown_since=since)
        give_back(row, UNKNOWN_PAUSE)


def give_up(row: QueuedTask, reason: str) -> None:
    """Record why a task is not tried again."""
    if own_row(row).update(**given_up(reason)):
        logger.error("task given up: %s: %s", row.name, reason)


def given_up(reason: str) -> dict[str, Any]:
    """Return the fields of a task that is not tried again."""
    return {
        "status": TaskResultStatus.FAILED,
        "reason": reason,
        "finished_at": timezone.now(),
        "due_at": None,
        "claimed_until": None,
    }


def run_row(row: QueuedTask, task: Task, queue: Queue) -> None:
    """Run a claimed task, and write what came of it.

    Whatever a task raises is its own failure, also what usually ends a process. A
    signal that ends this one raises nothing here.
    """
    record_start(row)
    try:
        with keeping_claim(row):
            value = run_alone(partial(start, row, task))
    except BaseException as error:
        record_error(row, task, queue, error)
    else:
        record_success(row, task, value)


def start(row: QueuedTask, task: Task) -> str:
    """Tell receivers of a task, call it, and return its value as JSON."""
    result = make_result(row, task)
    task_started.send(DatabaseBackend, task_result=result)
    return write_json(normalize_json(call(result)), "The value of a task")


def record_start(row: QueuedTask) -> None:
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
        unknown_since=None,
    )


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
    row.errors = json.dumps([*read_errors(row), describe_for_django(error)])
    row.reason = describe_error(error)
    is_last = row.tries >= queue.attempts
    row.status = TaskResultStatus.FAILED if is_last else TaskResultStatus.READY
    now = timezone.now()
    row.finished_at = now if is_last else None
    recorded = own_row(row).update(
        status=row.status,
        finished_at=row.finished_at,
        errors=row.errors,
        reason=row.reason,
        due_at=None if is_last else now + pause_after(row.tries),
        claimed_until=None,
    )
    if is_last:
        announce(row, task, recorded)
    else:
        logger.warning("task failed, and will be repeated: %s", row.name, exc_info=True)


def read_errors(row: QueuedTask) -> list[dict[str, str]]:
    """Return the errors of earlier attempts, or none if their key is missing."""
    if not row.errors or isinstance(row.errors, Unreadable):
        return []
    errors: list[dict[str, str]] = read_json(row.errors)
    return errors


def describe_for_django(error: BaseException) -> dict[str, str]:
    """Return the fields of Django's TaskError."""
    kind = type(error)
    text = "".join(traceback.format_exception(error))
    return {
        "exception_class_path": f"{kind.__module__}.{kind.__qualname__}",
        "traceback": text[-TRACEBACK_LENGTH:],
    }


def describe_error(error: BaseException) -> str:
    """Return the class of an error and its place, without a value of its text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"[:255]


def announce(row: QueuedTask, task: Task, recorded: int) -> None:
    """Tell receivers that a task has ended, unless another worker has taken it over.

    What they raise changes nothing of the task.
    """
    if not recorded:
        return
    result = make_result(row, task)
    try:
        run_alone(partial(task_finished.send, DatabaseBackend, task_result=result))
    except BaseException:
        logger.exception("a receiver of task_finished has failed: %s", row.name)


@jobs.job(every=60)
def correct_times() -> None:
    """Make tasks due that a clock which ran ahead has put off.

    A task that names its time (`run_after`) waits for it.
    """
    now = timezone.now()
    ahead = now + CLOCK_DIFFERENCE
    waiting = QueuedTask.objects.filter(due_at__gt=ahead)
    waiting = waiting.exclude(run_after__gt=now)
    turn = int(now.timestamp())
    for name in ("enqueued_at", "last_attempted_at"):
        wrong = waiting.filter(**{f"{name}__gt": ahead})
        wrong.update(**{name: now, "due_at": now, "turn": turn})


@jobs.job(every=3600)
def delete_finished() -> None:
    """Delete the rows of tasks that ended a week ago."""
    old = timezone.now() - RETENTION
    QueuedTask.objects.filter(finished_at__lt=old).delete()


@jobs.job(every=3600)
def give_up_without_queue() -> None:
    """Give up tasks that are due for a day, and whose queue the settings lack."""
    day_ago = timezone.now() - UNKNOWN_FOR
    rows = QueuedTask.objects.filter(due_at__lt=day_ago)
    for queue in find_queues():
        rows = rows.exclude(Q(backend=queue.backend, queue=queue.name))
    number = rows.update(**given_up(NO_QUEUE))
    if number:
        logger.error("%d tasks given up: %s", number, NO_QUEUE)


def run_again(rows: QuerySet[QueuedTask]) -> int:
    """Let tasks that were given up run again, with all attempts; return how many."""
    failed = rows.filter(status=TaskResultStatus.FAILED, due_at=None)
    return failed.update(
        status=TaskResultStatus.READY,
        due_at=timezone.now(),
        finished_at=None,
        unknown_since=None,
        # A frozen worker may still hold an old claim: no number is used again.
        earlier_attempts=F("attempts"),
    )
