import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, NamedTuple

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.jobs import WORKER_HERE
from core.status import LINES, visit_page, worker
from core.views import SERVICES

# What to do if a service raises an error.
ADVICE = {
    "database": "Start PostgreSQL, or check DATABASE_URL.",
    "cache": "Start Redis, or check CACHE_URL; without it, run `manage.py migrate`.",
    "storage": (
        "The disk of MEDIA_ROOT may be full or read-only. With a bucket,"
        " check STORAGE_URL."
    ),
    "static files": "Run `manage.py collectstatic`.",
}


class Line(NamedTuple):
    name: str
    fine: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.fine else 'BAD':3}  {self.name}: {self.text}"


class Command(BaseCommand):
    help = (
        "Say how the site is, a line for each part. The exit code is 1 if one is bad."
        " If all are fine, call HEARTBEAT_URL."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")
        parser.add_argument(
            "--skip", nargs="+", default=[], metavar="LINE", help="leave lines out"
        )
        parser.add_argument(
            "--worker",
            action="store_true",
            help="look at the worker of this machine only, and call nothing",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        lines = look(options["worker"], options["skip"])
        facts = [{"name": it.name, "fine": it.fine, "text": it.text} for it in lines]
        rows = [json.dumps(facts)] if options["json"] else lines
        self.stdout.write("\n".join(map(str, rows)))
        if not all(line.fine for line in lines):
            sys.exit(1)
        if settings.HEARTBEAT_URL and not options["worker"]:
            call_heartbeat()


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
            advice = ADVICE.get(name, f"Correct `LINES[{name!r}]` of core.status.")
        lines.append(Line(name, fine, found if fine else f"{found}. {advice}"))
    return lines


def call_heartbeat() -> None:
    """Tell a service outside that all is fine. It tells a person of silence.

    So a person also learns of a machine, a mail server or a network that is gone.
    """
    host, _, path = settings.HEARTBEAT_URL.removeprefix("https://").partition("/")
    try:
        status, _ = visit_page(host, f"/{path}")
        arrived = 200 <= status < 300
        found = f"status {status}"
    except (OSError, HTTPException, ValueError) as error:
        arrived = False
        # Without its text: who knows the URL can keep the service quiet.
        found = type(error).__name__
    if not arrived:
        raise CommandError(f"The heartbeat failed ({found}). Check HEARTBEAT_URL.")
