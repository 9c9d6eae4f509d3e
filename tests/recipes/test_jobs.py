"""The recipe of reminders, applied as written.

The tests are attacks, a killed worker, and several workers at once.
"""

import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.accounts import Mailbox
from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    Answers,
    clean_environment,
    name,
    production,
    run,
)
from tests.support.postgresql import Database
from tests.support.recipes import Install, Installed, Recipe, marks
from tests.support.services import wait_until

pytestmark = marks("jobs")

RECIPE = Recipe("jobs")
OWNERS = 60
LONGEST = 150  # seconds: another worker sends the emails of a killed one after a minute
CREATE = """
from datetime import timedelta
from django.utils import timezone
from notes.models import Note
for number in range({owners}):
    owner = User.objects.create_user(f"owner{{number}}-of-{owners}@example.com")
    remind_at = timezone.now() + timedelta(seconds={seconds})
    Note.objects.create(owner=owner, title="Milk", remind_at=remind_at)
"""
STATE = """
from secure_django.models import Mail
from notes.models import Note
unmarked = Note.objects.filter(reminded_for=None).count()
print(unmarked, Note.objects.count() - unmarked, Mail.objects.count())
"""
PLAN = """
from django.db import connection
connection.cursor().execute("SET enable_seqscan = off")
from notes.jobs import due
print(due().explain())
"""


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_reminders_pass_every_check_resist_attacks_and_can_go(
    answers: Answers, install: Install, tmp_path: Path, postgresql: Database
) -> None:
    project = install(answers, "notes")
    with project.following("jobs", RECIPE):
        for number, url in enumerate(
            ({}, {"DATABASE_URL": postgresql()}) if answers == ALL_OFF else ()
        ):
            with served(project, tmp_path / str(number), url) as site:
                site.kill_a_worker_that_has_taken_a_note()
                site.run_three_workers_of_which_one_dies()
                if url:
                    assert "notes_reminder_waits" in site.shell(PLAN)


class Site:
    """A copy of the project in production, with a mailbox, and its real workers."""

    def __init__(
        self, folder: Path, python: Path, mailbox: Mailbox, environment: dict[str, str]
    ) -> None:
        """Migrate the database."""
        self.folder = folder
        self.python = str(python)
        self.mailbox = mailbox
        self.environment = environment
        self.manage("migrate", "--verbosity", "0")

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py."""
        return run(
            self.folder, self.python, "manage.py", *arguments, **self.environment
        )

    def shell(self, code: str) -> str:
        """Run code in the project's shell."""
        return self.manage("shell", "--verbosity", "0", "--command", code)

    @contextmanager
    def worker(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a worker, and kill it at the end."""
        command = [self.python, "manage.py", "worker"]
        variables = clean_environment() | self.environment
        with subprocess.Popen(command, cwd=self.folder, env=variables) as worker:
            try:
                yield worker
            finally:
                worker.kill()

    def kill_a_worker_that_has_taken_a_note(self) -> None:
        """Kill a worker while it reads the template.

        The worker has marked the note, and has not stored its email.
        """
        self.shell(CREATE.format(owners=1, seconds=-60))
        template = self.folder / "notes" / "templates" / "notes" / "reminder.txt"
        text = template.read_text(encoding="utf-8")
        template.unlink()
        os.mkfifo(template)
        with self.worker() as worker:
            ends: list[int] = []
            wait_until(
                lambda: open_for_writing(template, ends),
                "a worker that reads the template",
                LONGEST,
            )
            worker.kill()
            worker.wait()
            # Not before: the worker would read an empty template, and go on.
            os.close(ends[0])
        assert self.shell(STATE).split() == ["1", "0", "0"]
        template.unlink()
        template.write_text(text, encoding="utf-8")
        with self.worker():
            # Not only until it arrives: a worker that dies before it has noted that
            # sends it once more.
            wait_until(
                lambda: self.shell(STATE).split() == ["0", "1", "0"],
                "the reminder",
                LONGEST,
            )
        self.manage("worker", "--once")
        assert [message["To"] for message in self.mailbox.messages] == [
            "owner0-of-1@example.com"
        ]

    def run_three_workers_of_which_one_dies(self) -> None:
        """Let three workers remind of the same notes, and kill one of them.

        The workers begin in the same second.
        """
        self.mailbox.messages.clear()
        self.shell(CREATE.format(owners=OWNERS, seconds=10))
        with ExitStack() as stack:
            workers = [stack.enter_context(self.worker()) for _ in range(3)]
            wait_until(lambda: self.mailbox.messages, "the first reminder", LONGEST)
            workers[0].kill()
            wait_until(
                lambda: self.shell(STATE).split()[::2] == ["0", "0"],
                "all reminders",
                LONGEST,
            )
        reminded = Counter(message["To"] for message in self.mailbox.messages)
        assert set(reminded) == {
            f"owner{number}-of-{OWNERS}@example.com" for number in range(OWNERS)
        }
        assert (
            len({message["Message-ID"] for message in self.mailbox.messages}) == OWNERS
        )
        # The killed worker may have sent one email without noting it: mail programs
        # show the two copies as one.
        assert reminded.total() <= OWNERS + 1


def open_for_writing(pipe: Path, ends: list[int]) -> bool:
    """Open a pipe and return True, if a process reads from it."""
    with suppress(OSError):
        ends.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    return bool(ends)


@contextmanager
def served(
    project: Installed, folder: Path, database: dict[str, str]
) -> Iterator[Site]:
    """Copy the project, with a database and a mailbox of its own."""
    copy = shutil.copytree(
        project.folder, folder / "site", ignore=shutil.ignore_patterns(".venv")
    )
    with Mailbox() as mailbox:
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        address = {
            "EMAIL_URL": f"smtp://127.0.0.1:{mailbox.server_address[1]}",
            "MEDIA_ROOT": str(folder / "media"),
        }
        yield Site(
            copy,
            project.folder / ".venv" / "bin" / "python",
            mailbox,
            production(copy) | address | database,
        )
        mailbox.shutdown()
