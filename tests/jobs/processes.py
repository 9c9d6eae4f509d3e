"""Workers that die, run in parallel or are old: a script for test_processes.py.

Run it with the name of a part, and its arguments. The file of EFFECTS has a line for
each run of a task, and that of ENDS one for each end that receivers learned of.
"""

# Django is set up before the imports, and what was done is printed.
# ruff: noqa: E402, T201

import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import django
from django.conf import settings

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "example"]
django.setup()

from django.core.management import call_command
from django.db import connections, transaction
from django.tasks import TaskResult
from django.tasks.signals import task_finished
from django.utils import timezone

from example import tasks
from example.tasks import deliver, greet
from secure_django import due, jobs
from secure_django.jobs import queues
from secure_django.jobs import tasks as backend
from secure_django.jobs.tasks import Queue
from secure_django.models import LastRun, QueuedTask

QUEUE = Queue("default", "default")
EFFECTS = Path(os.environ["EFFECTS"])
ENDS = Path(os.environ["ENDS"])
KILLED = 9
MOST_LINES = 500
SUCCESSFUL = "SUCCESSFUL"
WORKERS = 4


def write(path: Path, line: object) -> None:
    """Add a line, also while other processes do."""
    file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def work(number: object, seconds: float = 0) -> None:
    time.sleep(seconds)
    write(EFFECTS, number)


def keep_end(task_result: TaskResult, **kwargs: Any) -> None:
    write(ENDS, task_result.id)


def start_over() -> None:
    QueuedTask.objects.all().delete()
    LastRun.objects.all().delete()
    EFFECTS.write_bytes(b"")
    ENDS.write_bytes(b"")
    tasks.works["deliver"] = work


def fork(function: Callable[[], object]) -> int:
    """Run a function in a child process; return the process ID."""
    connections.close_all()
    if pid := os.fork():
        return pid
    try:
        function()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def wait(pid: int) -> int:
    """Return the exit code of a child process, or KILLED."""
    status = os.waitpid(pid, 0)[1]
    return KILLED if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def die_before(number: int, function: Callable[[], object]) -> None:
    """Call a function, and kill this process before a line of the queue's modules."""
    files = {queues.__file__, due.__file__, backend.__file__}
    left = number

    def watch_lines(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return watch_lines

    def watch_calls(frame: FrameType, event: str, _: Any) -> Any:
        return watch_lines if frame.f_code.co_filename in files else None

    sys.settrace(watch_calls)
    function()
    sys.settrace(None)


def run_next() -> None:
    queues.run_next(QUEUE)


def finish() -> None:
    """Run the task once the claim of the dead worker has ended."""
    if QueuedTask.objects.exclude(claimed_until=None).exists():
        assert QueuedTask.objects.claim(1, queues.CLAIM) == []
    for _ in range(3):
        past = timezone.now() - timedelta(seconds=1)
        QueuedTask.objects.exclude(due_at=None).update(due_at=past)
        QueuedTask.objects.exclude(claimed_until=None).update(claimed_until=past)
        run_next()


# What a worker is killed in: each prepares a task, and returns how often it may run.


def working_task() -> range:
    deliver.enqueue("one")
    return range(1, 3)


def failing_task() -> range:
    """Enqueue a task that fails once, in the process that is killed."""
    parent = os.getpid()

    def fail(word: str) -> None:
        write(EFFECTS, word)
        if os.getpid() != parent:
            raise ZeroDivisionError

    tasks.works["deliver"] = fail
    deliver.enqueue("one")
    return range(1, 3)


def task_in_its_last_attempt() -> range:
    deliver.enqueue("one")
    QueuedTask.objects.update(attempts=QUEUE.attempts - 1)
    return range(3)


def unknown_task() -> range:
    """Enqueue a task that the killed worker does not know."""
    deliver.enqueue("one")
    QueuedTask.objects.update(name="example.tasks.newer")
    return range(1, 2)


SCENARIOS = (working_task, failing_task, task_in_its_last_attempt, unknown_task)


def kill_between_lines() -> None:
    """Kill a worker before each line that it runs; nothing is lost or ends twice."""
    for scenario in SCENARIOS:
        for line in range(MOST_LINES):
            start_over()
            expected = scenario()
            exit_code = wait(fork(lambda: die_before(line, run_next)))  # noqa: B023
            QueuedTask.objects.update(name="example.tasks.deliver")
            had_ended = QueuedTask.objects.filter(due_at=None).exists()
            effects = len(read(EFFECTS))
            finish()
            row = QueuedTask.objects.get()
            assert row.due_at is row.claimed_until is None
            assert len(read(EFFECTS)) in expected, (line, read(EFFECTS))
            assert len(read(ENDS)) <= 1
            if had_ended:
                assert len(read(EFFECTS)) == effects
            if row.status != SUCCESSFUL:
                assert scenario is task_in_its_last_attempt
                assert row.reason == queues.NO_RESULT.format(seconds=900, times=12)
            if exit_code == 0:
                print(f"{scenario.__name__}: killed before each of {line} lines")
                break
            assert exit_code == KILLED
        else:
            message = f"{scenario.__name__} has not ended."
            raise AssertionError(message)


def kill_while_enqueuing() -> None:
    """Kill a request before each line of `enqueue`; its row and the task are one."""

    def request() -> None:
        with transaction.atomic():
            LastRun.objects.create(name="order", at=timezone.now())
            deliver.enqueue("order")

    for line in range(MOST_LINES):
        start_over()
        exit_code = wait(fork(lambda: die_before(line, request)))  # noqa: B023
        assert LastRun.objects.count() == QueuedTask.objects.count()
        finish()
        assert len(read(EFFECTS)) == LastRun.objects.count()
        if exit_code == 0:
            assert LastRun.objects.exists()
            print(f"killed before each of {line} lines of a request")
            return
        assert exit_code == KILLED


def run_worker(at_once: int | None = None) -> None:
    """Run a real worker, which has the tasks alone."""
    queue = QUEUE._replace(at_once=at_once)
    jobs.JOBS[:] = [queues.make_job(queue)]
    call_command("worker")


def kill_workers() -> None:
    """Kill one of four workers again and again, 40 times, at a moment of chance."""
    shorten_claims()
    start_over()
    workers = [fork(run_worker) for _ in range(WORKERS)]
    numbers = range(40 * 15)
    for number in numbers:
        deliver.enqueue(number, seconds=0.08)
        if number % 15:
            continue
        time.sleep(random.uniform(0.05, 0.4))  # noqa: S311
        victim = workers.pop(random.randrange(WORKERS))  # noqa: S311
        os.kill(victim, signal.SIGKILL)
        assert wait(victim) == KILLED
        workers.append(fork(run_worker))
    wait_for_end()
    stop(workers)
    counts = Counter(read(EFFECTS))
    assert counts.keys() == set(map(str, numbers))
    check_ends()
    killed = QueuedTask.objects.filter(attempts__gt=1).count()
    repeated = sum(counts.values()) - len(numbers)
    assert killed > 10
    print(f"40 workers killed, {killed} of them in one of {len(numbers)} tasks")
    print(f"{repeated} had done their work, and did it again")


def shorten_claims() -> None:
    queues.CLAIM = timedelta(seconds=2)
    queues.RENEWAL = 1
    queues.UNKNOWN_PAUSE = timedelta(seconds=1)


def wait_for_end(seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    waiting = QueuedTask.objects.exclude(due_at=None)
    while waiting.exists():
        assert time.monotonic() < deadline, list(waiting.values())[:3]
        time.sleep(0.2)


def stop(workers: list[int]) -> None:
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    for pid in workers:
        assert wait(pid) in {0, KILLED}  # before it handles signals


def check_ends() -> None:
    """Fail unless all tasks have succeeded, and none was acknowledged twice."""
    assert not QueuedTask.objects.exclude(status=SUCCESSFUL).exists()
    ends = read(ENDS)
    assert len(ends) == len(set(ends))


def run_four_workers() -> None:
    """Run four workers; each task runs once, and two at the same time."""
    start_over()
    running = EFFECTS.parent / "running"
    running.mkdir()

    def count(number: int) -> None:
        own = running / str(number)
        own.touch()
        write(EFFECTS, f"{number} {len(list(running.iterdir()))}")
        time.sleep(0.02)
        own.unlink()

    tasks.works["deliver"] = count
    for number in range(60):
        deliver.enqueue(number)
    workers = [fork(lambda: run_worker(at_once=2)) for _ in range(WORKERS)]
    wait_for_end()
    stop(workers)
    lines = [line.split() for line in read(EFFECTS)]
    assert Counter(number for number, _ in lines) == Counter(map(str, range(60)))
    assert max(int(at_once) for _, at_once in lines) <= 2
    assert len(read(ENDS)) == 60
    check_ends()
    print("four workers ran each of 60 tasks once, two at the same time")


def run_old_beside_new() -> None:
    """Run a worker of the release before, whose code lacks a task."""
    shorten_claims()
    start_over()
    for number in range(10):
        greet.enqueue(number)
        deliver.enqueue(number)

    def run_old_worker() -> None:
        del tasks.greet
        run_worker()

    old = fork(run_old_worker)
    known = QueuedTask.objects.filter(name="example.tasks.deliver")
    while known.exclude(status=SUCCESSFUL).exists():
        time.sleep(0.1)
    time.sleep(3)  # it meets the unknown ones again and again
    unknown = QueuedTask.objects.filter(name="example.tasks.greet")
    assert not unknown.exclude(status="READY", workers=[]).exists()
    new = fork(run_worker)
    wait_for_end()
    stop([old, new])
    check_ends()
    print("the worker of the next release ran what the old one did not know")


def enqueue(number: str) -> None:
    start_over()
    for index in range(int(number)):
        deliver.enqueue(index, seconds=0.1)


def run_until_signal() -> None:
    shorten_claims()
    tasks.works["deliver"] = work
    run_worker()


def check() -> None:
    wait_for_end()
    check_ends()
    numbers = {int(number) for number in read(EFFECTS)}
    assert numbers == set(range(QueuedTask.objects.count()))


PARTS: dict[str, Callable[..., None]] = {
    "kill-between-lines": kill_between_lines,
    "kill-while-enqueuing": kill_while_enqueuing,
    "kill-workers": kill_workers,
    "run-four-workers": run_four_workers,
    "run-old-beside-new": run_old_beside_new,
    "enqueue": enqueue,
    "work": run_until_signal,
    "check": check,
}

if __name__ == "__main__":
    task_finished.connect(keep_end)
    if sys.argv[1] != "work":
        call_command("migrate", verbosity=0)
    PARTS[sys.argv[1]](*sys.argv[2:])
