"""The worker and an app's jobs: several at once, killed ones, failing and hanging."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.support.baking import ALL_OFF, Project, clean_environment, production, run
from tests.support.live import HANG_SECONDS
from tests.support.services import wait_until

pytestmark = [
    pytest.mark.tier("whole"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals are needed"),
]

ROWS, BATCH = 60, 5
APP = {
    "__init__.py": "",
    "models.py": """
from django.db import models

from secure_django.due import DueRow


class Parcel(DueRow):
    owner_path = None
    label = models.CharField(max_length=20)
""",
    "jobs.py": f"""
import os
import time
from datetime import timedelta

from secure_django.jobs import job
from parcels.models import Parcel


@job(every=1)
def break_down() -> None:
    raise ZeroDivisionError


@job(every=1)
def send() -> bool:
    parcels = Parcel.objects.claim({BATCH}, timedelta(hours=1))
    for parcel in parcels:
        time.sleep(0.02)
        with open(os.environ["SENT"], "a") as file:
            file.write(f"{{parcel.label}}\\n")
        Parcel.objects.reschedule(parcel, None)
    if parcels:
        Parcel.objects.keep_claim(parcels, None)
    return len(parcels) == {BATCH}


@job(every=1, limit=5 if "HANG" in os.environ else 900)
def hang() -> None:
    while "HANG" in os.environ:
        time.sleep(0.1)


@job(every=1)
def come_after() -> None:
    with open(os.environ["SENT"] + ".after", "a"):
        pass
""",
}
FILL = f"""
from django.utils import timezone
from parcels.models import Parcel
Parcel.objects.bulk_create(
    Parcel(label=f"parcel {{number}}", due_at=timezone.now())
    for number in range({ROWS})
)
"""
LEFT = "print(Parcel.objects.exclude(due_at=None).count())"
FREE = "print(Parcel.objects.due().count())"
ROWS_OF_HANG = "print(LastRun.objects.filter(name__contains='jobs.hang').count())"
END_CLAIMS = "Parcel.objects.update(claimed_until=None)"
WORK = """
from django.core.management import call_command
from secure_django.management.commands import worker
worker.PAUSE = 0.1
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
        settings.write_text(
            text.replace('    "users",\n', '    "parcels",\n    "users",\n'),
            encoding="utf-8",
        )
        self.manage("makemigrations", "parcels")
        self.manage("migrate", "--verbosity", "0")
        self.shell(FILL)

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py."""
        return run(
            self.folder, sys.executable, "manage.py", *arguments, **self.environment
        )

    def shell(self, code: str) -> str:
        """Run code in the project's shell."""
        return self.manage("shell", "--verbosity", "0", "--command", code)

    @contextmanager
    def workers(self, number: int, **environment: str) -> Iterator[list[Popen[bytes]]]:
        """Run workers that pause for a tenth of a second only.

        Those that are left at the end are killed.
        """
        log = self.sent.with_name("workers.log").open("ab")
        command = [
            sys.executable,
            "manage.py",
            "shell",
            "--verbosity",
            "0",
            "--command",
            WORK,
        ]
        variables = clean_environment() | self.environment | environment
        with log:
            started = [
                Popen(command, cwd=self.folder, env=variables, stderr=log)
                for _ in range(number)
            ]
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
        return (
            self.sent.read_text(encoding="utf-8").splitlines()
            if self.sent.exists()
            else []
        )


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_row_of_an_app_is_processed_once_by_several_workers_of_which_one_dies(
    database: str, project: Project, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = (
        {"DATABASE_URL": request.getfixturevalue(database)()}
        if database == "postgresql"
        else {}
    )
    parcels = Parcels(project(ALL_OFF), tmp_path / "sent", **url)
    with parcels.workers(3) as workers:
        wait_until(lambda: len(parcels.labels()) > BATCH, "nothing is sent")
        workers[0].kill()
        wait_until(lambda: parcels.shell(FREE).strip() == "0", "parcels are free")
        for worker in workers[1:]:
            worker.terminate()
        codes = [worker.wait(HANG_SECONDS) for worker in workers]
        assert codes == [-signal.SIGKILL, 0, 0]
    # What the dead worker had claimed is left. Its claim ends now.
    assert int(parcels.shell(LEFT)) <= BATCH
    parcels.shell(END_CLAIMS)
    with parcels.workers(1):
        wait_until(lambda: parcels.shell(LEFT).strip() == "0", "parcels are left")
    assert len(set(parcels.labels())) == ROWS
    # A job that fails in each period has stopped no other job.
    assert "a job failed: parcels.jobs.break_down" in parcels.log()
    # The killed worker may have sent one parcel without noting it.
    assert len(parcels.labels()) <= ROWS + 1


def test_job_that_hangs_at_each_start_is_named_and_holds_up_no_other(
    project: Project, tmp_path: Path
) -> None:
    parcels = Parcels(project(ALL_OFF), tmp_path / "sent")
    after = tmp_path / "sent.after"
    for runs_others in (False, True):
        with parcels.workers(1, HANG="1") as (worker,):
            assert worker.wait(HANG_SECONDS) == 1
        assert after.exists() == runs_others
    assert " in hang" in parcels.log().partition("Timeout")[2]
    parcels.environment["HANG"] = "1"  # the limit of the job
    with pytest.raises(AssertionError) as failure:
        parcels.manage("status", "--skip", "https")
    found = str(failure.value)
    assert "ok   worker: " in found
    assert "BAD  jobs: parcels.jobs.hang on " in found
    assert " has not ended since " in found
    # The row goes once the job ends.
    del parcels.environment["HANG"]
    with parcels.workers(1) as (worker,):
        wait_until(lambda: parcels.shell(ROWS_OF_HANG).strip() == "0", "the row stays")
        worker.terminate()
        assert worker.wait(HANG_SECONDS) == 0
