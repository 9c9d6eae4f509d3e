"""Tasks of the example app. What they do is in the hands of a test."""

from collections.abc import Callable
from typing import Any

from django.tasks import TaskContext, task

type Work = Callable[..., Any]
# A test puts a function here, which takes the arguments of the task.
works: dict[str, Work] = {}


@task
def deliver(*args: Any, **kwargs: Any) -> Any:
    return works["deliver"](*args, **kwargs)


@task
def greet(user_id: int, word: str = "Hello") -> str:
    return f"{word}, {user_id}"


@task(takes_context=True)
def count(context: TaskContext, number: int) -> int:
    return number * context.attempt


@task
async def wait(number: int) -> int:
    return number


def no_task() -> None: ...
