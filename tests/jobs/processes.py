"""Workers that die, run in parallel or are old: a script for test_processes.py.

Run it with the name of a part, and its arguments. The file of EFFECTS has a line for
each run of a task, and that of ENDS one for each end that receivers learned of.
"""

# Django is set up before the imports, and what was done is printed.
# ruff: noqa: E402, T201

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

import django
from django.conf import settings

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "example"]
django.setup()

from django.core.management import call_command
from django.db import connection, connections, transaction
from django.tasks import TaskResult
from django.tasks.signals import task_finished
from django.utils import timezone, translation

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


# What a hostile or careless task does, with how often it fails.
SECRET = "the secret of Ann"
HANG = 300  # seconds
GRACE = 4  # seconds


class OwnError(BaseException):
    pass


def fail_with(kind: type[BaseException]) -> None:
    raise kind(SECRET)


def open_atomic() -> None:
    transaction.atomic().__enter__()
    LastRun.objects.create(name=SECRET, at=timezone.now())


def open_atomic_and_close() -> None:
    open_atomic()
    connection.close()


def open_by_sql() -> None:
    connection.cursor().execute("BEGIN")
    LastRun.objects.create(name=SECRET, at=timezone.now())


def stop_committing() -> None:
    transaction.set_autocommit(False)
    LastRun.objects.create(name=SECRET, at=timezone.now())


def break_atomic() -> None:
    transaction.atomic().__enter__()
    connection.cursor().execute("SELECT 'the secret of Ann' FROM nothing")


def close_connection() -> None:
    connection.close()


def close_driver() -> None:
    driver: Any = connection.connection
    driver.close()


def fork_and_return() -> None:
    with transaction.atomic():
        LastRun.objects.exists()
        pid = os.fork()
    if pid:
        os.waitpid(pid, 0)


def fork_and_fail() -> None:
    pid = os.fork()
    if not pid:
        fail_with(SystemExit)
    os.waitpid(pid, 0)


def fail_in_thread() -> None:
    thread = Thread(target=fail_with, args=(ValueError,))
    thread.start()
    thread.join()


def leave_generator() -> None:
    def fail_at_end() -> Any:
        try:
            yield
        finally:
            fail_with(ValueError)

    next(fail_at_end())


def move() -> None:
    timezone.activate("Asia/Tokyo")
    translation.activate("de")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    os.chdir("/")
    os.umask(0)


HOSTILE: list[tuple[Callable[[], object], int]] = [
    *(
        (partial(fail_with, kind), 2)
        for kind in (
            ValueError,
            KeyboardInterrupt,
            SystemExit,
            GeneratorExit,
            StopIteration,
            OwnError,
            asyncio.CancelledError,
        )
    ),
    (open_atomic, 2),
    (open_atomic_and_close, 2),
    (open_by_sql, 2),
    (stop_committing, 2),
    (break_atomic, 2),
    (close_connection, 0),
    (close_driver, 0),
    (fork_and_return, 0),
    (fork_and_fail, 0),
    (fail_in_thread, 0),
    (leave_generator, 0),
    (partial(time.sleep, 0.2), 0),
    (move, 0),
]


def describe_process() -> str:
    """Return what a job before this one could have changed."""
    umask = os.umask(0)
    os.umask(umask)
    parts = (
        os.getpid(),
        timezone.get_current_timezone_name(),
        translation.get_language(),
        os.environ.get("TZ"),
        time.tzname,
        Path.cwd(),
        umask,
        LastRun.objects.filter(name=SECRET).exists(),
        connection.in_atomic_block,
        connection.get_autocommit(),
    )
    return " ".join(map(str, parts))


def never_end() -> None:
    """Hang beside a thread that hangs, which would hold up the end of the process."""
    Thread(target=time.sleep, args=(HANG,)).start()
    time.sleep(HANG)


def run_hostile(number: int) -> None:
    """Do what a number says, or record the state of the process."""
    if number == len(HOSTILE):
        never_end()
    elif number < 0:
        write(EFFECTS, describe_process())
    else:
        HOSTILE[number][0]()


def end_hostile(task_result: TaskResult, **kwargs: Any) -> None:
    """Fail, as a receiver of the end of a task."""
    raise OwnError(SECRET)


def make_jobs(lane: str) -> list[jobs.Job]:
    """Return the same as jobs, each of which fails or works beside a good one."""

    def make(number: int) -> jobs.Job:
        def work() -> None:
            run_hostile(number)

        work.__name__ = f"work_{number}"
        return jobs.Job(work, 2, lane)

    return [make(each) for number in range(len(HOSTILE)) for each in (number, -1)]


def work_hostile() -> None:
    """Run a worker of hostile tasks and jobs, until a signal ends it."""
    tasks.works["deliver"] = run_hostile
    task_finished.connect(end_hostile)
    setattr(queues, "pause_after", lambda attempts: timedelta())  # noqa: B010
    queue = QUEUE._replace(attempts=2)
    own = [queues.make_job(queue), *make_jobs(""), *make_jobs("other")]
    jobs.JOBS[:] = own
    settings.GRACE_SECONDS = GRACE
    call_command("worker")


def run_hostile_tasks() -> None:
    """Let each hostile task be followed by a good one, in a worker that lives."""
    start_over()
    for number in range(len(HOSTILE)):
        deliver.enqueue(number)
        deliver.enqueue(-1)
    connections.close_all()
    log = EFFECTS.parent / "log"
    with log.open("wb") as output:
        arguments = [sys.executable, "-W", "ignore", __file__, "work-hostile"]
        worker = subprocess.Popen(arguments, stdout=output, stderr=output)
    try:
        wait_for_end(40)
        assert worker.poll() is None
        jobs_to_run = 2 * len(HOSTILE)
        deadline = time.monotonic() + 60
        while len(read(EFFECTS)) < 2 * jobs_to_run + len(HOSTILE):
            assert time.monotonic() < deadline, len(read(EFFECTS))
            time.sleep(0.2)
        deliver.enqueue(len(HOSTILE))
        while not QueuedTask.objects.filter(status="RUNNING").exists():
            assert time.monotonic() < deadline
        assert worker.poll() is None
    finally:
        print(log.read_text(encoding="utf-8")[-20000:], file=sys.stderr)
        worker.send_signal(random.choice([signal.SIGTERM, signal.SIGINT]))  # noqa: S311
        code = worker.wait(3 * GRACE)
    assert code == 0
    by_number = {make_arguments(row): row for row in QueuedTask.objects.all()}
    for number, (_, failures) in enumerate(HOSTILE):
        row = by_number[number]
        assert row.status == ("FAILED" if failures else SUCCESSFUL), (
            number,
            row.reason,
        )
        assert row.attempts == max(failures, 1), (number, row.reason)
        assert SECRET not in row.reason
    assert by_number[-1].status == SUCCESSFUL
    assert QueuedTask.objects.filter(status=SUCCESSFUL).count() > len(HOSTILE)
    assert len(set(read(EFFECTS))) == 1, set(read(EFFECTS))
    text = log.read_text(encoding="utf-8")
    assert SECRET not in text
    for line in text.splitlines():
        json.loads(line)
    print(f"each of {len(HOSTILE)} hostile tasks failed alone")


def make_arguments(row: QueuedTask) -> int:
    number: int = json.loads(row.arguments)["args"][0]
    return number


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
    "hostile": run_hostile_tasks,
    "work-hostile": work_hostile,
    "enqueue": enqueue,
    "work": run_until_signal,
    "check": check,
}

if __name__ == "__main__":
    task_finished.connect(keep_end)
    if not sys.argv[1].startswith("work"):
        call_command("migrate", verbosity=0)
    PARTS[sys.argv[1]](*sys.argv[2:])
