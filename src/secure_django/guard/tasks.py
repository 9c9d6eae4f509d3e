"""Django's tasks: what a page enqueues runs after it, as by a worker.

A worker has no request. So a task gets neither the language of its page nor any other
context variable.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from importlib.util import find_spec
from itertools import islice
from typing import Any, NamedTuple

from django.db import transaction
from django.db.transaction import on_commit  # before a fixture replaces it
from django.test import TestCase

from secure_django.guard.bounds import SECONDS, TookTooLongError, bounded
from secure_django.guard.places import function_that_raised

HAS_TASKS = bool(find_spec("django.tasks"))  # since Django 6.0
MOST = 100  # of one page: a task may enqueue itself


class Failure(NamedTuple):
    """An exception that ended a task."""

    error: type[BaseException]
    function: str = ""  # of the project that has raised it, if it is known

    @property
    def took_too_long(self) -> bool:
        return self.error is TookTooLongError

    @property
    def sentence(self) -> str:
        """Return what to say of the page."""
        if self.took_too_long:
            return (
                f"enqueues a task that calculates for over {SECONDS} seconds: let"
                " prepare() of the table replace what takes long"
            )
        place = f" in {self.function}" if self.function else ""
        return (
            f"enqueues a task that fails ({self.error.__name__}{place}): repair it, and"
            " check what a user sends before it is enqueued"
        )


class Enqueued:
    """The tasks of a request, and of each other, and what failed of them."""

    def __init__(self, seconds: int = SECONDS) -> None:
        """Give each task a number of seconds of CPU time."""
        self.seconds = seconds
        self.results: list[Any] = []
        self.failures: list[Failure] = []

    def run(self) -> None:
        """Run each task, and those that they enqueue."""
        # The list grows meanwhile.
        for result in islice(self.results, MOST):
            failure = self.failure_of(result)
            if failure:
                self.failures.append(failure)

    def failure_of(self, result: Any) -> Failure | None:
        if result.is_finished:  # by a backend that does not wait
            errors = result.errors
            return Failure(errors[-1].exception_class) if errors else None
        try:
            # An error of the database ends such a transaction, and not the test's.
            with self.kept(), transaction.atomic(), bounded(self.seconds):
                Context().run(function_of(result))
        except Exception as error:  # of a task, as a worker would record it
            return Failure(type(error), function_that_raised(error.__traceback__))
        return None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what the block enqueues, unless its transaction is undone."""
        if not HAS_TASKS:
            yield
            return
        from django.tasks.signals import task_enqueued

        def keep(task_result: Any, **kwargs: Any) -> None:
            on_commit(lambda: self.results.append(task_result))

        task_enqueued.connect(keep)
        try:
            with TestCase.captureOnCommitCallbacks(execute=True):
                yield
        finally:
            task_enqueued.disconnect(keep)


def function_of(result: Any) -> Callable[[], Any]:
    """Return what a worker calls to run a task."""
    from django.tasks import TaskContext

    task = result.task
    args = list(result.args)
    if task.takes_context:
        args.insert(0, TaskContext(task_result=result))
    return lambda: task.call(*args, **result.kwargs)
