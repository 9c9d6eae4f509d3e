"""The code of docs/tasks.md: its tasks, its callers and its test run as written."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.tasks import TaskResultStatus, task_backends
from pytest_django import Settings

import secure_django
from secure_django.jobs.tasks import Queue
from secure_django.models import QueuedTask
from users.models import User

DOCUMENT = Path(secure_django.__file__).parent / "docs" / "tasks.md"
BLOCK = re.compile(r"^```python\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))
FIRST = dict(reversed(BLOCKS))
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Make `users.tasks` of the document."""
    module = ModuleType("users.tasks")
    monkeypatch.setitem(sys.modules, "users.tasks", module)
    exec(FIRST["users/tasks.py"], module.__dict__)  # noqa: S102
    return module


@pytest.fixture
def project_settings(settings: Settings) -> Settings:
    names: dict[str, Any] = {}
    exec(FIRST["config/settings.py"], names)  # noqa: S102
    settings.TASKS = names["TASKS"]
    return settings


def test_each_block_begins_with_its_path() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert len(BLOCKS) == text.count("```python\n") == 5


def test_callers_of_the_document_start_tasks(user: User) -> None:
    names: dict[str, Any] = {}
    exec(FIRST["anywhere"], names)  # noqa: S102
    key = names["start"](Mock(user=user))
    assert names["show"](key) == "It still runs."
    call_command("worker", "--once")
    assert names["show"](key) == user.name
    later = QueuedTask.objects.exclude(pk=key).get()
    assert (later.status, later.priority) == (TaskResultStatus.READY, -10)
    assert later.owner == str(user.pk)


def test_test_of_the_document_passes(user: User) -> None:
    names: dict[str, Any] = {}
    exec(FIRST["users/tests/test_tasks.py"], names)  # noqa: S102
    names["test_name_loses_its_spaces"](user)


def test_key_of_the_document_is_the_same_in_each_attempt(
    user: User, tasks: ModuleType
) -> None:
    result = tasks.make_key.enqueue(user_id=user.pk)
    call_command("worker", "--once")
    result.refresh()
    assert result.return_value == f"{user.pk}-{result.id}"


def test_task_of_a_deleted_account_ends(tasks: ModuleType) -> None:
    result = tasks.trim_name.enqueue(user_id=123456)
    call_command("worker", "--once")
    result.refresh()
    assert result.return_value == ""


def test_settings_of_the_document_give_a_queue_limits(
    project_settings: Settings, tasks: ModuleType
) -> None:
    backend: Any = task_backends["default"]
    assert backend.find_queue("reports") == Queue("default", "reports", 1, 3600, 3)
    assert tasks.trim_name.using(queue_name="reports")
    assert not [it for it in run_checks() if it.id == "secure_django.E701"]
