"""Workers on machines whose clocks differ."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from example import tasks
from example.tasks import deliver
from secure_django.jobs import queues
from secure_django.jobs.tasks import Queue
from secure_django.models import QueuedTask

QUEUE = Queue("default", "default")
DIFFERENCE = timedelta(minutes=3)  # longer than a claim

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("difference", [DIFFERENCE, -DIFFERENCE])
def test_no_worker_takes_a_task_that_another_runs(
    difference: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    real_time = timezone.now
    differing = True

    def read_clock() -> datetime:
        return real_time() + difference if differing else real_time()

    def work(word: str) -> None:
        nonlocal differing
        begun.append(word)
        # Meanwhile the other worker looks for a task.
        differing = not differing
        assert not queues.run_next(QUEUE)

    monkeypatch.setattr(timezone, "now", read_clock)
    monkeypatch.setitem(tasks.works, "deliver", work)
    deliver.enqueue("once")
    QueuedTask.objects.update(due_at=real_time() - DIFFERENCE)
    queues.run_next(QUEUE)
    assert begun == ["once"]
    assert QueuedTask.objects.get().attempts == 1


def test_worker_with_a_clock_that_is_ahead_keeps_its_own_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real_time = timezone.now
    deliver.enqueue("kept")
    monkeypatch.setattr(timezone, "now", lambda: real_time() + DIFFERENCE)
    [row] = queues.rows_of(QUEUE).claim(1, queues.CLAIM)
    assert queues.renew_once(row)
    monkeypatch.undo()
    assert queues.count_claims(QUEUE) == 1
    assert not queues.rows_of(QUEUE).claim(1, queues.CLAIM)
