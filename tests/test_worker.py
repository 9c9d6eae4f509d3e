"""The worker with the jobs of an app of one's own: several at once, killed ones, jobs that fail or hang."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.support.baking import ALL_OFF, Project, clean_environment, production, run

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="signals are needed")]

ROWS, BATCH = 60, 5
APP = {
    "__init__.py": "",
    "models.py": """
from django.db import models

from core.due import DueRow


class Parcel(DueRow):
    label = models.CharField(max_length=20)
""",
    "jobs.py": f"""
import os
import time
from datetime import timedelta

from core.jobs import job
from parcels.models import Parcel


@job(every=1)
def break_down() -> None:
    raise ZeroDivisionError


@job(every=1)
def send() -> bool:
    parcels = Parcel.objects.claim({BATCH}, timedelta(seconds=3))
    for parcel in parcels:
        time.sleep(0.02)
        with open(os.environ["SENT"], "a") as file:
            file.write(f"{{parcel.label}}\\n")
        Parcel.objects.reschedule(parcel, None)
    if parcels:
        Parcel.objects.keep_claim(parcels, None)
    return len(parcels) == {BATCH}


@job(every=1)
def hang() -> None:
    while "HANG" in os.environ:
        time.sleep(0.1)
""",
}
FILL = f"""
from django.utils import timezone
from parcels.models import Parcel
Parcel.objects.bulk_create(Parcel(label=f"parcel {{number}}", due_at=timezone.now()) for number in range({ROWS}))
"""
LEFT = "print(Parcel.objects.exclude(due_at=None).count())"
WORK = """
from django.core.management import call_command
from core.management.commands import worker
worker.PAUSE, worker.STALE_SECONDS = 0.1, {stale}
call_command("worker")
"""


class Parcels:
    """A project with an app whose jobs send parcels, and its workers."""

    def __init__(self, folder: Path, sent: Path, **environment: str) -> None:
        """Add the app to the project, and parcels to its database."""
        self.folder, self.sent = folder, sent
        self.environment = production(folder) | environment | {"SENT": str(sent)}
        for name, text in APP.items():
            (folder / "parcels").mkdir(exist_ok=True)
            (folder / "parcels" / name).write_text(text, encoding="utf-8")
        settings = folder / "config" / "settings.py"
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace('    "uploads",\n', '    "parcels",\n    "uploads",\n'), encoding="utf-8")
        self.manage("makemigrations", "parcels")
        self.manage("migrate", "--verbosity", "0")
        self.shell(FILL)

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py."""
        return run(self.folder, sys.executable, "manage.py", *arguments, **self.environment)

    def shell(self, code: str) -> str:
        """Run code in the project's shell."""
        return self.manage("shell", "--verbosity", "0", "--command", code)

    @contextmanager
    def workers(self, number: int, stale_seconds: int = 900, **environment: str) -> "Iterator[list[Popen[bytes]]]":
        """Run workers that pause for a tenth of a second only, and kill those that are left at the end."""
        code = WORK.format(stale=stale_seconds)
        log = self.sent.with_name("workers.log").open("ab")
        command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code]
        variables = clean_environment() | self.environment | environment
        with log:
            started = [Popen(command, cwd=self.folder, env=variables, stderr=log) for _ in range(number)]
            try:
                yield started
            finally:
                for worker in started:
                    worker.kill()
                    worker.wait()

    def log(self) -> str:
        """Return what all workers logged."""
        return self.sent.with_name("workers.log").read_text(encoding="utf-8")

    def labels(self) -> list[str]:
        """Return the labels of the parcels that were sent."""
        return self.sent.read_text(encoding="utf-8").splitlines() if self.sent.exists() else []


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_row_of_an_app_is_processed_once_by_several_workers_of_which_one_dies(
    database: str, project: Project, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = {"DATABASE_URL": request.getfixturevalue(database)()} if database == "postgresql" else {}
    parcels = Parcels(project(ALL_OFF), tmp_path / "sent", **url)
    with parcels.workers(3) as workers:
        wait_until(lambda: len(parcels.labels()) > BATCH)
        workers[0].kill()
        wait_until(lambda: len(set(parcels.labels())) == ROWS)
        wait_until(lambda: parcels.shell(LEFT).strip() == "0")
        for worker in workers[1:]:
            worker.terminate()
        assert [worker.wait(60) for worker in workers] == [-signal.SIGKILL, 0, 0]
    # A job that fails in each period has stopped no other job.
    assert "a job failed: parcels.jobs.break_down" in parcels.log()
    # The killed worker may have sent one parcel without noting it.
    assert len(parcels.labels()) <= ROWS + 1


def test_worker_that_hangs_says_where_and_ends(project: Project, tmp_path: Path) -> None:
    parcels = Parcels(project(ALL_OFF), tmp_path / "sent")
    with parcels.workers(1, stale_seconds=5, HANG="1") as (worker,):
        assert worker.wait(60) == 1
    assert " in hang" in parcels.log().partition("Timeout")[2]


def test_worker_once_sends_everything_and_fails_with_the_name_of_a_failed_job(project: Project, tmp_path: Path) -> None:
    parcels = Parcels(project(ALL_OFF), tmp_path / "sent")
    with pytest.raises(AssertionError, match=r"Failed: parcels\.jobs\.break_down\. The log says why\."):
        parcels.manage("worker", "--once")
    assert len(parcels.labels()) == len(set(parcels.labels())) == ROWS


def test_task_of_an_app_is_an_error_until_tasks_have_a_worker(project: Project) -> None:
    folder = project(ALL_OFF)
    (folder / "users" / "jobs.py").write_text(
        "from django.tasks import task\n\n\n@task\ndef remind() -> None:\n    pass\n", encoding="utf-8"
    )
    check = (sys.executable, "manage.py", "check", "--fail-level", "WARNING")
    with pytest.raises(AssertionError, match=r"users\.jobs\.remind: make this task a job"):
        run(folder, *check, **production(folder))
    with (folder / "config" / "settings.py").open("a", encoding="utf-8") as file:
        file.write('TASKS = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}\n')
    run(folder, *check, **production(folder))
