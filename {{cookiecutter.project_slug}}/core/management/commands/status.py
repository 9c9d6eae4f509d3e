import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname
from typing import Any, NamedTuple

from django.conf import settings
from django.core.mail import EmailMessage, mailers
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.jobs import WORKER_HERE
from core.models import LastRun
from core.status import LINES, worker
from core.views import SERVICES

# A unit that has not failed again for so long is fine: systemd restarts it at once.
QUIET = timedelta(minutes=10)


class Line(NamedTuple):
    name: str
    fine: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.fine else 'BAD':3}  {self.name}: {self.text}"


class Command(BaseCommand):
    help = (
        "Say how the site is, a line for each part. The exit code is 1 if one is bad."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")
        parser.add_argument(
            "--skip", nargs="+", default=[], metavar="LINE", help="leave lines out"
        )
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--worker",
            action="store_true",
            help="look at the worker of this machine only",
        )
        tell = (
            "print nothing, but tell a person what is bad, once;"
            " or that a unit has failed"
        )
        mode.add_argument("--alarm", nargs="*", metavar="UNIT", help=tell)

    def handle(self, *args: Any, **options: Any) -> None:
        units: list[str] | None = options["alarm"]
        lines = [] if units else look(options["worker"], options["skip"])
        if units is not None:
            return update_alarms(units, lines)
        facts = [{"name": it.name, "fine": it.fine, "text": it.text} for it in lines]
        rows = [json.dumps(facts)] if options["json"] else lines
        self.stdout.write("\n".join(map(str, rows)))
        if not all(line.fine for line in lines):
            sys.exit(1)


def look(only_worker: bool, skip: list[str]) -> list[Line]:
    lines: list[Line] = []
    parts: dict[str, Callable[[], Any]] = {**SERVICES, **LINES}
    if only_worker:
        parts = {"worker": lambda: worker(WORKER_HERE)}
    for name, function in parts.items():
        if name in skip or (
            name in LINES and any(it.name == "database" and not it.fine for it in lines)
        ):
            continue
        try:
            answer = function()
            fine, found, advice = answer if name in LINES else (True, "answers", "")
        except Exception as error:
            # Without its text, which can hold a value.
            fine, found = False, f"failed with {type(error).__name__}"
            advice = (
                "Start it, or check its variable of the environment:"
                " .env.example has them."
            )
        lines.append(Line(name, fine, found if fine else f"{found}. {advice}"))
    return lines


def update_alarms(units: list[str], lines: list[Line]) -> None:
    """Tell a person what has become bad, and what is fine again.

    A file for each is empty until a person was told. Files, because an alarm must
    arrive without the database too.
    """
    if not (state := os.environ.get("STATE_DIRECTORY")):
        raise CommandError(
            "Set STATE_DIRECTORY to a folder in which only the site's user writes."
        )
    folder = Path(state, "alarms")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in [*units, *(line.name for line in lines if not line.fine)]:
        (folder / Path(name).name).touch()
    files, fine = sorted(folder.iterdir()), {line.name for line in lines if line.fine}
    names = {*SERVICES, *LINES}
    over = [
        it
        for it in files
        if (it.name in fine if it.name in names else "database" in fine and works(it))
    ]
    new = [it for it in files if it not in over and not it.stat().st_size]
    if new or over:
        changes = [f"{it.name} is bad" for it in new] + [
            f"{it.name} is fine again" for it in over
        ]
        failed = [
            f"BAD  {it.name}: failed. Its log says why."
            for it in new
            if it.name not in names
        ]
        try:
            tell(
                f"[{settings.SITE_NAME}] {', '.join(changes)}",
                "\n".join([*failed, *map(str, lines)]),
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise CommandError(
                f"The alarm did not arrive: {type(error).__name__}."
                " The next call repeats it."
            ) from None
        for path in new:
            path.write_text("told", encoding="ascii")
        for path in over:
            path.unlink()


def works(unit: Path) -> bool:
    """Return whether a unit works again: a new backup, or no failure for a while."""
    failed = datetime.fromtimestamp(unit.stat().st_mtime, UTC)
    if "backup" in unit.name:
        return LastRun.objects.filter(name="backup", at__gt=failed).exists()
    return failed < timezone.now() - QUIET


def tell(subject: str, text: str) -> None:
    """Send an email at once, without the worker.

    With ALARM_COMMAND, give the text to that command instead.
    """
    text += f"\n\n{gethostname()}, {timezone.now():%F %H:%M} UTC\n"
    if settings.ALARM_COMMAND:
        subprocess.run(  # noqa: S603 - no shell
            settings.ALARM_COMMAND,
            input=f"{subject}\n\n{text}",
            text=True,
            timeout=60,
            check=True,
        )
    else:
        with mailers["server"] as server:
            server.send_messages(
                [EmailMessage(subject, text, to=[settings.ALARM_EMAIL])]
            )
