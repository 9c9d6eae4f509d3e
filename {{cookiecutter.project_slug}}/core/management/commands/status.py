import json
import sys
from argparse import ArgumentParser
from http.client import HTTPException
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.status import look, visit_page


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
