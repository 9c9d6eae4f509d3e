"""What the worker does with the rows of tasks."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Semaphore
from threading import enumerate as enumerate_threads
from typing import Any
from unittest.mock import Mock

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.tasks import TaskResult, TaskResultStatus
from django.tasks.signals import task_finished, task_started
from django.utils import timezone
from pytest_django import Settings

from example import tasks
from example.tasks import count, deliver, greet, wait
from secure_django import jobs
from secure_django.jobs import queues
from secure_django.jobs.queues import run_next
from secure_django.jobs.tasks import MOST_BYTES, MissingKeyError, Queue
from secure_django.logging import JSONFormatter
from secure_django.models import LastRun, QueuedTask
from secure_django.testing import HANG_SECONDS, Travel
from users.models import User

QUEUE = Queue("default", "default", attempts=3)
pytestmark = pytest.mark.django_db
FAILED = TaskResultStatus.FAILED
SUCCESSFUL = TaskResultStatus.SUCCESSFUL


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the arguments of each delivery."""
    found: list[Any] = []
    monkeypatch.setitem(tasks.works, "deliver", found.append)
    return found


@pytest.fixture
def finished() -> Iterator[list[TaskResult]]:
    """Return the results that receivers of `task_finished` get."""
    found: list[TaskResult] = []

    def keep(task_result: TaskResult, **kwargs: Any) -> None:
        found.append(task_result)

    task_finished.connect(keep)
    yield found
    task_finished.disconnect(keep)


def run_all() -> None:
    while run_next(QUEUE):
        pass


def fail(*args: Any) -> None:
    text = "the text of ann@example.com"
    raise ValueError(text)


def only_row() -> QueuedTask:
    return QueuedTask.objects.get()


def test_worker_runs_a_task_and_keeps_its_value(finished: list[TaskResult]) -> None:
    result = greet.enqueue(5, word="Hi")
    assert run_next(QUEUE)
    result.refresh()
    assert result.status == SUCCESSFUL
    assert result.return_value == "Hi, 5"
    assert result.worker_ids == [jobs.WORKER_HERE]
    assert result.started_at == result.last_attempted_at
    assert [it.id for it in finished] == [result.id]
    assert not run_next(QUEUE)


def test_each_queue_is_a_job_of_the_worker() -> None:
    [job] = [job for job in jobs.JOBS if "queues.run_" in str(job)]
    assert str(job) == "secure_django.jobs.queues.run_default_default"
    assert job.lane == "tasks default default"
    assert (job.every, job.limit) == (1, 900)


def test_worker_runs_async_tasks_and_those_with_a_context() -> None:
    waited = wait.enqueue(3)
    counted = count.enqueue(10)
    run_all()
    waited.refresh()
    counted.refresh()
    value: Any = waited.return_value
    assert value == 3
    assert counted.return_value == 10


@pytest.mark.control("tasks")
def test_failed_task_is_repeated_after_a_growing_pause(
    monkeypatch: pytest.MonkeyPatch, travel: Travel, finished: list[TaskResult]
) -> None:
    monkeypatch.setitem(tasks.works, "deliver", fail)
    result = deliver.enqueue("a")
    pauses: list[float] = []
    for _ in range(2):
        now = timezone.now()
        assert run_next(QUEUE)
        assert not run_next(QUEUE)
        due_at = only_row().due_at
        assert due_at is not None
        pauses.append((due_at - now).total_seconds())
        travel(due_at - now + timedelta(seconds=1))
    assert pauses == pytest.approx([10, 15], abs=1)
    result.refresh()
    assert result.status == TaskResultStatus.READY
    assert not finished
    monkeypatch.setitem(tasks.works, "deliver", lambda word: word)
    run_all()
    result.refresh()
    assert result.return_value == "a"
    assert result.attempts == 3
    assert len(result.errors) == 2
    assert result.errors[0].exception_class is ValueError


@pytest.mark.control("tasks")
def test_task_is_given_up_with_a_reason_that_has_no_text_of_the_error(
    monkeypatch: pytest.MonkeyPatch,
    travel: Travel,
    finished: list[TaskResult],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(tasks.works, "deliver", fail)
    result = deliver.enqueue("a")
    for _ in range(5):
        run_all()
        travel(timedelta(hours=1))
    result.refresh()
    assert result.status == FAILED
    assert len(result.errors) == 3
    assert [it.status for it in finished] == [FAILED]
    row = only_row()
    assert row.due_at is None
    assert row.reason.startswith("ValueError in ")
    assert "ann@" not in row.reason
    with pytest.raises(ValueError, match="Task failed"):
        _ = result.return_value
    errors = [it for it in caplog.records if it.levelno >= logging.ERROR]
    assert len(errors) == 1


ENDS = (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError)


@pytest.mark.control("tasks")
@pytest.mark.parametrize("kind", [*ENDS, BaseException, StopIteration])
def test_task_fails_alone_whatever_it_raises(
    kind: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def end(word: str) -> str:
        if word == "bad":
            raise kind(word)
        return word

    monkeypatch.setitem(tasks.works, "deliver", end)
    bad = deliver.enqueue("bad")
    good = deliver.enqueue("good")
    run_all()
    bad.refresh()
    good.refresh()
    assert (bad.status, bad.attempts) == (TaskResultStatus.READY, 1)
    assert good.return_value == "good"
    row = QueuedTask.objects.get(pk=bad.id)
    assert row.reason.startswith(f"{kind.__name__} in ")
    [warning] = [it for it in caplog.records if it.levelno == logging.WARNING]
    assert "bad" not in JSONFormatter().format(warning)


@pytest.mark.control("tasks")
def test_task_that_leaves_a_transaction_open_fails_and_loses_its_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave_open(word: str) -> None:
        if word == "bad":
            transaction.atomic().__enter__()
            transaction.atomic().__enter__()
        LastRun.objects.create(name=word, at=timezone.now())

    monkeypatch.setitem(tasks.works, "deliver", leave_open)
    bad = deliver.enqueue("bad")
    deliver.enqueue("good")
    run_all()
    assert [run.name for run in LastRun.objects.all()] == ["good"]
    row = QueuedTask.objects.get(pk=bad.id)
    assert row.reason.startswith("OpenTransactionError in ")


@pytest.mark.control("tasks")
def test_receiver_that_fails_changes_no_task(
    done: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    def fail_at_end(**kwargs: Any) -> None:
        raise KeyboardInterrupt

    task_finished.connect(fail_at_end)
    try:
        deliver.enqueue(1)
        deliver.enqueue(2)
        run_all()
    finally:
        task_finished.disconnect(fail_at_end)
    assert done == [1, 2]
    assert not QueuedTask.objects.exclude(status=SUCCESSFUL).exists()
    text = "a receiver of task_finished has failed: example.tasks.deliver"
    assert caplog.messages.count(text) == 2


def test_value_and_traceback_have_a_bound(
    monkeypatch: pytest.MonkeyPatch, travel: Travel
) -> None:
    def be_large(word: str) -> str:
        if word == "value":
            return "x" * MOST_BYTES
        raise ValueError("y" * MOST_BYTES)

    monkeypatch.setitem(tasks.works, "deliver", be_large)
    value = deliver.enqueue("value")
    error = deliver.enqueue("error")
    run_all()
    row = QueuedTask.objects.get(pk=value.id)
    assert row.reason.startswith("TaskTooLargeError in ")
    error.refresh()
    assert len(error.errors[0].traceback) == queues.TRACEBACK_LENGTH


def test_value_that_json_has_not_is_an_error_of_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(tasks.works, "deliver", object)
    deliver.enqueue()
    run_all()
    assert only_row().reason.startswith("TypeError in ")


class Killed(BaseException):
    """A process that ends at this line: nothing after it runs."""


def die(*args: Any) -> None:
    raise Killed


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each delivery end the process, which then records nothing."""
    monkeypatch.setitem(tasks.works, "deliver", die)
    monkeypatch.setattr(queues, "record_error", die)


@pytest.mark.control("tasks")
@pytest.mark.usefixtures("killing")
def test_task_of_a_killed_worker_is_repeated_a_minute_later(
    monkeypatch: pytest.MonkeyPatch, travel: Travel
) -> None:
    result = deliver.enqueue("a")
    with pytest.raises(Killed):
        run_next(QUEUE)
    result.refresh()
    assert result.status == TaskResultStatus.RUNNING
    monkeypatch.setitem(tasks.works, "deliver", lambda word: word)
    travel(timedelta(seconds=50))
    assert not run_next(QUEUE)
    travel(timedelta(seconds=20))
    run_all()
    result.refresh()
    assert result.return_value == "a"
    assert result.attempts == 2


@pytest.mark.control("tasks")
@pytest.mark.usefixtures("killing")
def test_task_that_always_ends_its_worker_is_given_up(travel: Travel) -> None:
    deliver.enqueue()
    for _ in range(3):
        with pytest.raises(Killed):
            run_next(QUEUE)
        travel(timedelta(minutes=2))
    run_all()
    row = only_row()
    assert row.status == FAILED
    assert row.reason == (
        "Its worker ended, or it took more than 900 seconds, 3 times."
    )


@pytest.mark.control("tasks")
def test_result_counts_only_for_the_worker_that_has_the_claim(
    monkeypatch: pytest.MonkeyPatch, travel: Travel, finished: list[TaskResult]
) -> None:
    """A worker that was frozen goes on after another one has taken the task over."""
    words = iter(["slow", "fast"])

    def freeze() -> str:
        word = next(words)
        if word == "slow":
            travel(timedelta(minutes=5))
            assert run_next(QUEUE)
        return word

    monkeypatch.setitem(tasks.works, "deliver", freeze)
    result = deliver.enqueue()
    assert run_next(QUEUE)
    result.refresh()
    assert result.return_value == "fast"
    assert len(finished) == 1


@pytest.mark.control("tasks")
def test_claim_is_renewed_while_a_task_runs(
    monkeypatch: pytest.MonkeyPatch, travel: Travel
) -> None:
    claimed: list[bool] = []
    renewed: list[QueuedTask] = []
    monkeypatch.setattr(queues, "renew_claim", lambda row, stop: renewed.append(row))

    def look() -> None:
        for _ in range(3):
            travel(timedelta(seconds=50))
            assert queues.renew_once(only_row())
        claimed.append(not run_next(QUEUE))

    monkeypatch.setitem(tasks.works, "deliver", look)
    deliver.enqueue()
    run_all()
    assert claimed == [True]
    row = only_row()
    assert row.status == SUCCESSFUL
    assert renewed == [row]  # in a thread of its own, meanwhile
    assert not queues.renew_once(row)


@pytest.mark.control("tasks")
def test_thread_renews_the_claim_until_the_task_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database that does not answer once ends no renewal."""
    renewals = Semaphore(0)
    answers = iter([True, True, True])
    monkeypatch.setattr(queues, "RENEWAL", 0.01)
    monkeypatch.setattr(queues, "connection", Mock())

    def update(row: QueuedTask) -> Mock:
        renewals.release()
        outcome = OperationalError if next(answers, False) else None
        return Mock(update=Mock(side_effect=outcome, return_value=1))

    row = QueuedTask(name="example.tasks.deliver", attempts=1)
    monkeypatch.setattr(queues, "own_row", update)
    with queues.keeping_claim(row):
        for _ in range(6):
            assert renewals.acquire(timeout=HANG_SECONDS)
    assert not [it for it in enumerate_threads() if "renew" in it.name]


def test_renewal_ends_once_another_worker_has_the_task() -> None:
    deliver.enqueue()
    [row] = QueuedTask.objects.claim(1, queues.CLAIM)
    stop = Mock(wait=Mock(side_effect=[False, True]))
    QueuedTask.objects.update(attempts=F("attempts") + 1)
    queues.renew_claim(row, stop)
    stop.wait.assert_called_once()


# What runs, and when


def test_urgent_tasks_run_first_and_later_ones_not_yet(done: list[Any]) -> None:
    deliver.enqueue("normal")
    deliver.using(priority=-5).enqueue("slow")
    deliver.using(priority=50).enqueue("urgent")
    deliver.using(run_after=timezone.now() + timedelta(hours=1)).enqueue("later")
    run_all()
    assert done == ["urgent", "normal", "slow"]


@pytest.mark.control("tasks")
def test_account_with_many_tasks_delays_others_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[int] = []
    monkeypatch.setattr(queues, "call", lambda result: order.append(result.args[0]))
    for _ in range(30):
        greet.enqueue(1)
    run_next(QUEUE)
    greet.enqueue(2)
    run_next(QUEUE)
    run_next(QUEUE)
    assert 2 in order
    greet.enqueue(user_id=3)
    assert QueuedTask.objects.filter(owner="3").count() == 1


@pytest.mark.control("tasks")
def test_queue_runs_no_more_at_once_than_it_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = QUEUE._replace(at_once=1)
    others: list[bool] = []
    monkeypatch.setitem(tasks.works, "deliver", lambda: others.append(run_next(queue)))
    deliver.enqueue()
    greet.enqueue(1)
    assert run_next(queue)
    assert others == [False]
    row = QueuedTask.objects.get(name="example.tasks.greet")
    assert row.attempts == 0


def test_deferred_task_moves_no_turn(done: list[Any]) -> None:
    """Neither its account nor another one comes later, or earlier, because of it."""
    greet.using(run_after=timezone.now() + timedelta(days=1)).enqueue(1)
    greet.enqueue(1)
    greet.enqueue(2)
    later, *due = QueuedTask.objects.order_by("enqueued_at").values_list("turn", "pk")
    assert abs(due[0][0] - due[1][0]) <= 1
    assert later[0] == pytest.approx(due[0][0] + 24 * 3600, abs=1)


def test_full_queue_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only of two workers at the same moment does one give its claim back."""
    queue = QUEUE._replace(at_once=1)
    counts = iter([0, 2])
    monkeypatch.setattr(queues, "count_claims", lambda queue: next(counts, 1))
    greet.enqueue(1)
    assert not run_next(queue)
    row = only_row()
    assert (row.attempts, row.claimed_until) == (0, None)
    due_at = row.due_at
    assert not run_next(queue)
    assert only_row().due_at == due_at


@pytest.mark.control("tasks")
@pytest.mark.parametrize(
    "name",
    [
        "example.tasks.no_task",
        "example.tasks.gone",
        "example.gone.greet",
        "os.system",
        "django.core.management.call_command",
        "secure_django.jobs.queues.run_next",
    ],
)
def test_row_runs_only_a_task_of_the_code(name: str, travel: Travel) -> None:
    """An older worker leaves a task that it does not know to a newer one."""
    greet.enqueue(1)
    QueuedTask.objects.update(name=name)
    run_all()
    row = only_row()
    assert (row.status, row.attempts) == (TaskResultStatus.READY, 0)
    travel(timedelta(hours=23))
    run_all()
    assert only_row().status == TaskResultStatus.READY
    travel(timedelta(hours=2))
    run_all()
    row = only_row()
    assert (row.status, row.reason) == (FAILED, "The code has no task of this name.")


@pytest.mark.control("tasks")
def test_row_imports_no_module_outside_of_the_apps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "outside_of_apps.py"
    module.write_text(
        "from django.tasks import task\n@task\ndef run() -> None: ...\n", "utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    greet.enqueue(1)
    QueuedTask.objects.update(name="outside_of_apps.run")
    run_all()
    assert only_row().status == TaskResultStatus.READY
    assert "outside_of_apps" not in sys.modules


def test_deferred_task_waits_a_day_for_its_code_too(travel: Travel) -> None:
    """A day begins when a worker first meets the name, not when it was enqueued."""
    greet.using(run_after=timezone.now() + timedelta(days=9)).enqueue(1)
    QueuedTask.objects.update(name="example.tasks.newer")
    travel(timedelta(days=9, seconds=1))
    run_all()
    assert only_row().status == TaskResultStatus.READY
    QueuedTask.objects.update(name="example.tasks.greet")
    travel(timedelta(minutes=2))
    run_all()
    row = only_row()
    assert (row.status, row.unknown_since) == (SUCCESSFUL, None)


def test_row_of_the_next_release_is_run() -> None:
    """A release may add a column that the worker of the one before does not know."""
    greet.enqueue(1)
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE secure_django_queuedtask"
            " ADD COLUMN color varchar(9) DEFAULT 'red' NOT NULL"
        )
    run_all()
    greet.enqueue(2)
    run_all()
    assert QueuedTask.objects.filter(status=SUCCESSFUL).count() == 2


def test_task_of_a_queue_that_is_gone_is_given_up_after_a_day(travel: Travel) -> None:
    greet.enqueue(1)
    QueuedTask.objects.update(queue="old")
    travel(timedelta(hours=23))
    queues.give_up_without_queue()
    assert only_row().status == TaskResultStatus.READY
    greet.enqueue(2)
    travel(timedelta(hours=25))
    queues.give_up_without_queue()
    assert QueuedTask.objects.get(owner="1").reason == queues.NO_QUEUE
    assert QueuedTask.objects.get(owner="2").status == TaskResultStatus.READY


@pytest.mark.control("tasks")
def test_task_whose_key_is_missing_runs_once_the_key_is_back(
    settings: Settings, travel: Travel
) -> None:
    result = greet.enqueue(1)
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    run_all()
    assert only_row().reason.startswith("MissingKeyError in ")
    with pytest.raises(MissingKeyError, match="FIELD_ENCRYPTION_KEYS lacks the key"):
        greet.get_result(result.id)
    settings.FIELD_ENCRYPTION_KEYS = [*settings.FIELD_ENCRYPTION_KEYS, *keys]
    travel(timedelta(minutes=1))
    run_all()
    result.refresh()
    assert result.return_value == "Hello, 1"


@pytest.mark.control("tasks")
def test_staff_let_a_task_run_again_with_all_attempts(
    monkeypatch: pytest.MonkeyPatch, travel: Travel
) -> None:
    monkeypatch.setitem(tasks.works, "deliver", fail)
    deliver.enqueue()
    greet.enqueue(1)
    everything = QueuedTask.objects.all()
    for expected in (3, 6):
        for _ in range(5):
            run_all()
            travel(timedelta(hours=1))
        row = QueuedTask.objects.get(name="example.tasks.deliver")
        assert (row.status, row.attempts) == (FAILED, expected)
        assert queues.run_again(everything) == 1  # not what succeeded
        # A worker that was frozen with the first claim finds no claim with its number.
        [claimed] = everything.claim(1, queues.CLAIM)
        row.attempts = 1
        assert not queues.own_row(row).exists()
        queues.give_back(claimed, timedelta(0))


@pytest.mark.control("tasks")
def test_deleted_account_takes_its_ended_tasks_along(user: User) -> None:
    """A task that waits may be what deletes the account's data elsewhere."""
    greet.enqueue(user.pk)
    greet.enqueue(user.pk + 1)
    run_all()
    greet.enqueue(user.pk)
    key = user.pk
    user.delete()
    rows = QueuedTask.objects.order_by("enqueued_at").values_list("owner", "status")
    other = str(key + 1)
    assert [owner == other for owner, _ in rows] == [True, False]
    assert [status for _, status in rows] == [SUCCESSFUL, TaskResultStatus.READY]


@pytest.mark.control("tasks")
def test_rows_of_finished_tasks_end_after_a_week(travel: Travel) -> None:
    greet.enqueue(1)
    run_all()
    greet.enqueue(2)
    travel(timedelta(days=6))
    queues.delete_finished()
    assert QueuedTask.objects.count() == 2
    travel(timedelta(days=2))
    queues.delete_finished()
    assert [row.owner for row in QueuedTask.objects.all()] == ["2"]


def test_worker_runs_all_tasks_at_once(done: list[Any]) -> None:
    for number in range(3):
        deliver.enqueue(number)
    call_command("worker", "--once")
    assert done == [0, 1, 2]


def test_receivers_learn_of_the_start(done: list[Any]) -> None:
    statuses: list[str] = []

    def keep(task_result: TaskResult, **kwargs: Any) -> None:
        statuses.append(task_result.status)

    task_started.connect(keep)
    deliver.enqueue(1)
    run_all()
    task_started.disconnect(keep)
    assert statuses == [TaskResultStatus.RUNNING]


@pytest.mark.control("tasks")
def test_clock_that_ran_ahead_puts_no_task_off(done: list[Any], travel: Travel) -> None:
    travel(timedelta(days=1))
    deliver.enqueue("enqueued ahead")
    travel(timedelta(days=-1))
    run_all()
    assert not done
    queues.correct_times()
    run_all()
    assert done == ["enqueued ahead"]


@pytest.mark.control("tasks")
def test_task_that_failed_ahead_is_repeated_and_one_with_a_time_waits(
    monkeypatch: pytest.MonkeyPatch, done: list[Any], travel: Travel
) -> None:
    monkeypatch.setitem(tasks.works, "deliver", fail)
    deliver.enqueue("failed")
    travel(timedelta(days=1))
    run_all()
    deferred = timezone.now() + timedelta(days=1)
    deliver.using(run_after=deferred).enqueue("deferred")
    travel(timedelta(days=-1))
    monkeypatch.setitem(tasks.works, "deliver", done.append)
    queues.correct_times()
    run_all()
    assert done == ["failed"]
    assert QueuedTask.objects.get(run_after=deferred).due_at == deferred


@pytest.mark.control("tasks")
@pytest.mark.usefixtures("killing")
def test_claim_of_a_clock_that_ran_ahead_ends(
    monkeypatch: pytest.MonkeyPatch, travel: Travel, done: list[Any]
) -> None:
    deliver.enqueue("a")
    travel(timedelta(days=1))
    monkeypatch.setitem(tasks.works, "deliver", die)
    with pytest.raises(Killed):
        run_next(QUEUE)
    travel(timedelta(days=-1))
    monkeypatch.setitem(tasks.works, "deliver", done.append)
    assert queues.count_claims(QUEUE) == 0
    run_all()
    assert done == ["a"]
