"""What staff see of tasks, and which they repeat."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.tasks import TaskResultStatus
from django.urls import reverse

from example import tasks
from example.tasks import deliver, greet
from secure_django.jobs.queues import run_next
from secure_django.jobs.tasks import Queue
from secure_django.models import QueuedTask
from secure_django.testing import HTTPSClient, Login, MakeUser
from users.models import User

LIST = "admin:secure_django_queuedtask_changelist"
PAGE = "admin:secure_django_queuedtask_change"
SECRET = "https://example.com/log-in/Z9kq"
pytestmark = pytest.mark.django_db


@pytest.fixture
def support(make_user: MakeUser) -> User:
    return make_user("support@example.com", is_staff=True)


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> QueuedTask:
    """Return a task that was given up."""

    def fail(link: str) -> None:
        raise ValueError(link)

    monkeypatch.setitem(tasks.works, "deliver", fail)
    key = deliver.enqueue(SECRET).id
    run_next(Queue("default", "default", attempts=1))
    return QueuedTask.objects.get(pk=key)


def allow(person: User, *actions: str) -> None:
    names = [f"{action}_queuedtask" for action in actions]
    person.user_permissions.set(Permission.objects.filter(codename__in=names))


def shown(response: Any) -> list[str]:
    return [row.name.rpartition(".")[2] for row in response.context["cl"].result_list]


def run_again(client: HTTPSClient) -> None:
    keys = [str(key) for key in QueuedTask.objects.values_list("pk", flat=True)]
    data = {"action": "run_again", "_selected_action": keys}
    client.post(reverse(LIST), data)


@pytest.mark.control("tasks")
def test_staff_see_why_a_task_was_given_up_but_no_data_of_it(
    failed: QueuedTask, support: User, login: Login
) -> None:
    allow(support, "view")
    client = login(support)
    for url in (reverse(LIST), reverse(PAGE, args=[failed.pk])):
        text = client.get(url).text
        assert "ValueError in" in text
        assert SECRET not in text


def test_staff_find_tasks_by_name_account_status_and_queue(
    failed: QueuedTask, support: User, login: Login
) -> None:
    greet.enqueue(77)
    allow(support, "view")
    client = login(support)
    assert shown(client.get(reverse(LIST), {"q": "tasks.deliv"})) == ["deliver"]
    assert shown(client.get(reverse(LIST), {"q": "77"})) == ["greet"]
    filtered = client.get(reverse(LIST), {"status__exact": "FAILED"})
    assert shown(filtered) == ["deliver"]
    assert len(shown(client.get(reverse(LIST), {"queue": failed.queue}))) == 2


@pytest.mark.control("tasks")
def test_staff_with_the_permission_repeat_what_was_given_up(
    failed: QueuedTask, support: User, login: Login
) -> None:
    allow(support, "view", "change")
    waiting = QueuedTask.objects.get(pk=greet.enqueue(1).id)
    run_again(login(support))
    failed.refresh_from_db()
    assert failed.status == TaskResultStatus.READY
    assert (failed.tries, failed.finished_at) == (0, None)
    assert failed.due_at
    due_at = waiting.due_at
    waiting.refresh_from_db()
    assert waiting.due_at == due_at


@pytest.mark.control("tasks")
@pytest.mark.parametrize("actions", [(), ("view",), ("view", "delete")])
def test_staff_without_the_permission_repeat_nothing(
    actions: tuple[str, ...], failed: QueuedTask, support: User, login: Login
) -> None:
    allow(support, *actions)
    client = login(support)
    run_again(client)
    failed.refresh_from_db()
    assert failed.status == TaskResultStatus.FAILED
    assert client.get(reverse(LIST)).status_code == (200 if actions else 403)


def test_staff_enter_and_change_no_task(
    failed: QueuedTask, support: User, login: Login
) -> None:
    allow(support, "add", "view", "change")
    client = login(support)
    add = reverse("admin:secure_django_queuedtask_add")
    assert client.get(add).status_code == 403
    page = reverse(PAGE, args=[failed.pk])
    assert client.post(page, {"name": "example.tasks.greet"}).status_code == 403
    assert client.get(page).status_code == 200
