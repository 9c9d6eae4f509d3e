"""Django's tasks, durably: `enqueue()` writes a row, and a worker runs it.

A row is written in the caller's transaction: secure_django/jobs/queues.py says how a
worker runs it. A queue can have limits of its own in OPTIONS:

    TASKS = {
        "default": {
            "BACKEND": "secure_django.jobs.tasks.DatabaseBackend",
            "QUEUES": ["default", "reports"],
            "OPTIONS": {"QUEUES": {"reports": {"AT_ONCE": 1, "SECONDS": 3600}}},
        }
    }
"""

import json
from collections.abc import Iterator
from datetime import datetime
from inspect import signature
from typing import Any, NamedTuple
from uuid import UUID

from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import TaskError
from django.tasks.exceptions import (
    InvalidTask,
    TaskException,
    TaskResultDoesNotExist,
)
from django.tasks.signals import task_enqueued
from django.utils import timezone
from django.utils.json import normalize_json
from django.utils.module_loading import import_string

from secure_django.encryption import Unreadable
from secure_django.jobs import LIMIT
from secure_django.models import QueuedTask

# An argument of one of these names says whose task it is: each owner has a turn.
OWNERS = ("owner_id", "user_id")
MOST_BYTES = 256 * 1024  # of the arguments of a task, or of its value, as JSON


class TaskTooLargeError(TaskException):
    """The arguments of a task, or its value, are larger than MOST_BYTES."""


class MissingKeyError(Exception):
    """No key decrypts the row of a task."""


class Queue(NamedTuple):
    """A queue of a backend, with its limits."""

    backend: str
    name: str
    at_once: int | None = None  # how many of its tasks run at the same time; any number
    seconds: int = LIMIT  # after which a task counts as hung
    attempts: int = 12  # within about half an hour


class DatabaseBackend(BaseTaskBackend):
    """Keep tasks in rows of the database, which `manage.py worker` runs.

    A row is written in the transaction of the caller, with encrypted arguments.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def find_queue(self, name: str) -> Queue:
        """Return a queue with its limits."""
        limits = self.options.get("QUEUES", {}).get(name, {})
        fields = {limit.lower(): value for limit, value in limits.items()}
        return Queue(self.alias, name, **fields)

    def enqueue(
        self, task: Task, args: list[Any], kwargs: dict[str, Any]
    ) -> TaskResult:
        """Write the row of a task in the caller's transaction.

        Raise InvalidTask if no worker would find the task, TypeError if JSON has no
        such argument, and TaskTooLargeError if the arguments exceed MOST_BYTES.
        """
        self.validate_task(task)
        check_path(task)
        now = timezone.now()
        due_at = task.run_after or now
        arguments = {"args": normalize_json(args), "kwargs": normalize_json(kwargs)}
        text = write_json(arguments, "What a task is called with")
        owner = find_owner(task, arguments)
        row = QueuedTask.objects.create(
            name=task.module_path,
            backend=self.alias,
            queue=task.queue_name,
            priority=task.priority,
            owner=owner,
            turn=find_turn(self.find_queue(task.queue_name), owner, due_at),
            arguments=text,
            enqueued_at=now,
            run_after=task.run_after,
            due_at=due_at,
        )
        result = make_result(row, task)
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> TaskResult:
        """Return the present state of a task.

        Raise TaskResultDoesNotExist if there is none, as a week after the end.
        """
        try:
            key = UUID(result_id)
        except ValueError:
            raise TaskResultDoesNotExist(result_id) from None
        row = QueuedTask.objects.filter(pk=key, backend=self.alias).first()
        task = find_task(row.name) if row else None
        if not row or not task:
            raise TaskResultDoesNotExist(result_id)
        return make_result(row, task)

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Report limits that the worker cannot keep."""
        return [
            Error(
                f"TASKS[{self.alias!r}]: {problem}",
                hint="docs/tasks.md of the package shows the limits of a queue.",
                id="secure_django.E701",
            )
            for problem in find_problems(self)
        ]


def find_problems(backend: DatabaseBackend) -> Iterator[str]:
    """Yield what is wrong with the queues and the options of a backend."""
    if not backend.queues:
        yield "QUEUES is empty, so no worker would run a task."
    for name in backend.options.keys() - {"QUEUES"}:
        yield f"there is no option {name}."
    queues = backend.options.get("QUEUES", {})
    if not isinstance(queues, dict):
        yield "QUEUES of OPTIONS has to be a dictionary."
        return
    for queue, limits in queues.items():
        if queue not in backend.queues:
            yield f"QUEUES lacks {queue}, which OPTIONS limits."
        yield from find_problems_of_limits(queue, limits)


def find_problems_of_limits(queue: str, limits: Any) -> Iterator[str]:
    if not isinstance(limits, dict):
        yield f"the limits of {queue} have to be a dictionary."
        return
    for name, value in limits.items():
        if name not in {"AT_ONCE", "SECONDS", "ATTEMPTS"}:
            yield f"{queue} has no limit {name}."
        elif not isinstance(value, int) or value < 1:
            yield f"{name} of {queue} has to be a whole number from 1."


# Rows and results


def find_owner(task: Task, arguments: dict[str, Any]) -> str:
    """Return the account that a task is for, or nothing."""
    names = arguments["kwargs"]
    parameters = list(signature(task.func).parameters)
    if task.takes_context:
        parameters = parameters[1:]
    named = dict(zip(parameters, arguments["args"], strict=False)) | names
    for name in OWNERS:
        if named.get(name) is not None:
            return str(named[name])[:255]
    return ""


def find_turn(queue: Queue, owner: str, due_at: datetime) -> int:
    """Return the turn of an owner's next task, in seconds since 1970.

    A task has the turn of its time, but comes after the earlier ones of its owner, by
    as long as a task may take. So 300 tasks of one account delay another one by a
    single task. Tasks of no owner count as those of one account.
    """
    earlier = QueuedTask.objects.filter(
        backend=queue.backend, queue=queue.name, owner=owner, due_at__lte=due_at
    )
    # Not Max: on a table that PostgreSQL has not analyzed yet, it reads all rows.
    last = earlier.order_by("-turn").values_list("turn", flat=True).first()
    present = int(due_at.timestamp())
    return present if last is None else max(present, last + queue.seconds)


def check_path(task: Task) -> None:
    """Refuse a task that no worker would find by the path of its function."""
    if find_task(task.module_path) is None:
        message = (
            f"{task.module_path} is no task that a worker finds: put @task above a"
            " function in a module of an app that INSTALLED_APPS names."
        )
        raise InvalidTask(message)


def find_task(name: str) -> Task | None:
    """Return the task of an app, by the path of its function, or None.

    A row names what the code has made with `@task`, and nothing else runs.
    """
    if apps.get_containing_app_config(name) is None:
        return None
    try:
        found = import_string(name)
    except ImportError:
        return None
    is_itself = isinstance(found, Task) and found.module_path == name
    return found if is_itself else None


def write_json(value: Any, name: str) -> str:
    """Return JSON, in ASCII; raise TaskTooLargeError if it exceeds MOST_BYTES."""
    text = json.dumps(value)
    if len(text) > MOST_BYTES:
        message = (
            f"{name} is {len(text):,} bytes as JSON, and {MOST_BYTES:,} is the most:"
            " store what is large, and pass its id."
        )
        raise TaskTooLargeError(message)
    return text


def read_json(text: str) -> Any:
    """Return the value of an encrypted field; raise MissingKeyError without its key."""
    if isinstance(text, Unreadable):
        raise MissingKeyError(text.reason)
    return json.loads(text)


def make_result(row: QueuedTask, task: Task) -> TaskResult:
    """Return Django's view of a row."""
    own = task.using(
        priority=row.priority,
        queue_name=row.queue,
        run_after=row.run_after,
        backend=row.backend,
    )
    arguments = read_json(row.arguments)
    result: TaskResult = TaskResult(
        task=own,
        id=str(row.pk),
        status=TaskResultStatus(row.status),
        enqueued_at=row.enqueued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        last_attempted_at=row.last_attempted_at,
        args=arguments["args"],
        kwargs=arguments["kwargs"],
        backend=row.backend,
        errors=[TaskError(**error) for error in read_json(row.errors or "[]")],
        worker_ids=list(row.workers),
    )
    if row.result is not None:
        # As Django's own backends do: the class is frozen.
        object.__setattr__(result, "_return_value", read_json(row.result))
    return result
