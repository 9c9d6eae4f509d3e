"""The backend of Django's tasks: rows, results, and what is refused.

Of the 76 tests of tasks in Django 6.1.3, 67 passed with this backend in the place of
Django's, by hand on 2 December 2026. The other nine do not apply: they read the list
that DummyBackend keeps in memory, ask that ImmediateBackend lacks results and
`run_after`, or take an empty QUEUES, which E701 refuses.
"""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.checks import run_checks
from django.db import connection, transaction
from django.tasks import TaskResultStatus, task, task_backends
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.utils import timezone
from pytest_django import Settings

from example.tasks import deliver, greet, no_task, wait
from secure_django.jobs.queues import find_queues
from secure_django.jobs.tasks import (
    MOST_BYTES,
    DatabaseBackend,
    Queue,
    TaskTooLargeError,
)
from secure_django.models import QueuedTask

BACKEND = "secure_django.jobs.tasks.DatabaseBackend"
pytestmark = pytest.mark.django_db


def test_new_project_keeps_its_tasks() -> None:
    assert isinstance(task_backends["default"], DatabaseBackend)
    assert not task_backends["default"].check()


@pytest.mark.control("tasks")
def test_task_waits_in_a_row_of_the_transaction() -> None:
    with transaction.atomic():
        greet.enqueue(1)
        transaction.set_rollback(True)
    assert not QueuedTask.objects.exists()
    result = greet.enqueue(1)
    assert result.status == TaskResultStatus.READY
    assert QueuedTask.objects.get().name == "example.tasks.greet"


@pytest.mark.control("tasks")
def test_arguments_are_encrypted_in_the_row() -> None:
    result = greet.enqueue(7, word="Dear Ann")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM secure_django_queuedtask")
        assert "Dear Ann" not in str(cursor.fetchall())
    again = greet.get_result(result.id)
    assert again.args == [7]
    assert again.kwargs == {"word": "Dear Ann"}


@pytest.mark.parametrize("argument", [object(), {1, 2}, timezone.now])
def test_argument_that_json_has_not_is_refused(argument: object) -> None:
    with pytest.raises(TypeError):
        deliver.enqueue(argument)
    assert not QueuedTask.objects.exists()


@pytest.mark.control("tasks")
def test_arguments_over_the_bound_are_refused_with_the_bound() -> None:
    quotes = len('{"args": [""], "kwargs": {}}')
    with pytest.raises(
        TaskTooLargeError,
        match=r"is 262,145 bytes as JSON, and 262,144 is the most: store what is large",
    ):
        deliver.enqueue("x" * (MOST_BYTES - quotes + 1))
    with pytest.raises(TaskTooLargeError):
        deliver.enqueue(word="\u20ac" * 20_000_000)
    assert not QueuedTask.objects.exists()
    deliver.enqueue("x" * (MOST_BYTES - quotes))
    assert QueuedTask.objects.exists()


def test_task_is_enqueued_and_read_in_async_code() -> None:
    async def enqueue() -> str:
        result = await wait.aenqueue(3)
        again = await wait.aget_result(result.id)
        return again.id

    key = async_to_sync(enqueue)()
    assert str(QueuedTask.objects.get().pk) == key


def test_result_has_the_time_the_priority_and_the_queue_of_the_task() -> None:
    later = timezone.now() + timedelta(days=1)
    result = greet.using(run_after=later, priority=7).enqueue(1)
    again = greet.get_result(result.id)
    assert again.task == result.task
    assert again.task.run_after == later
    assert again.task.priority == 7
    assert QueuedTask.objects.get().due_at == later


@pytest.mark.parametrize(
    "key", ["", "x", "0" * 32, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"]
)
def test_unknown_result_does_not_exist(key: str) -> None:
    with pytest.raises(TaskResultDoesNotExist):
        greet.get_result(key)


def test_queue_that_no_worker_has_is_refused() -> None:
    with pytest.raises(InvalidTask, match="Queue 'reports' is not valid"):
        greet.using(queue_name="reports")


def not_in_an_app() -> None: ...


def test_task_that_no_worker_would_find_is_refused() -> None:
    """The worker of a project imports the modules of its apps alone."""
    for unfound in (task(not_in_an_app), task(no_task)):
        with pytest.raises(InvalidTask, match="is no task that a worker finds: put"):
            unfound.enqueue()


@pytest.mark.parametrize("owner", [None, "", 0])
def test_owner_is_an_argument_that_has_a_value(owner: object) -> None:
    deliver.enqueue(user_id=owner)
    deliver.enqueue(owner_id=7)
    owners = QueuedTask.objects.order_by("enqueued_at").values_list("owner", flat=True)
    assert list(owners) == ["" if owner is None else str(owner), "7"]


def test_queue_has_limits_of_its_own(settings: Settings) -> None:
    limits = {"reports": {"AT_ONCE": 1, "SECONDS": 3600, "ATTEMPTS": 3}}
    options = {"QUEUES": limits}
    queues = ["default", "reports"]
    settings.TASKS = {
        "default": {"BACKEND": BACKEND, "QUEUES": queues, "OPTIONS": options}
    }
    backend = task_backends["default"]
    assert isinstance(backend, DatabaseBackend)
    assert backend.find_queue("reports") == Queue("default", "reports", 1, 3600, 3)
    assert backend.find_queue("default") == Queue("default", "default")
    assert not backend.check()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"LIMITS": {}}, "there is no option LIMITS"),
        ({"QUEUES": {"reports": {}}}, "QUEUES lacks reports"),
        ({"QUEUES": {"default": {"TIMES": 3}}}, "default has no limit TIMES"),
        ({"QUEUES": {"default": {"AT_ONCE": 0}}}, "AT_ONCE of default has to be"),
        ({"QUEUES": {"default": {"SECONDS": "60"}}}, "SECONDS of default has to be"),
        ({"QUEUES": ["default"]}, "QUEUES of OPTIONS has to be a dictionary"),
        ({"QUEUES": {"default": 3}}, "the limits of default have to be a dictionary"),
    ],
)
def test_wrong_limit_stops_the_start(
    options: dict[str, object], sentence: str, settings: Settings
) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": options}}
    messages = [it for it in run_checks() if it.id == "secure_django.E701"]
    assert len(messages) == 1
    assert sentence in messages[0].msg
    assert not list(find_queues())  # so that the sentence comes, and no traceback


def test_backend_without_queues_stops_the_start(settings: Settings) -> None:
    """Django takes every name then, and no worker would have the queue."""
    settings.TASKS = {"default": {"BACKEND": BACKEND, "QUEUES": []}}
    (message,) = [it for it in run_checks() if it.id == "secure_django.E701"]
    assert "QUEUES is empty, so no worker would run a task." in message.msg
