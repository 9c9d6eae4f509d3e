import json
import sys
from argparse import ArgumentParser
from http.client import HTTPException
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from secure_django.status import check_own_worker, check_site, run_checks, visit_page


class Command(BaseCommand):
    help = (
        "Print the state of each part of the site. The exit code is 1 if one is bad."
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
            help="check the worker of this machine only, and call no URL",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["worker"]:
            lines = run_checks({"worker": check_own_worker}, options["skip"])
        else:
            lines = check_site(options["skip"])
        if options["json"]:
            text = json.dumps(
                [
                    {"name": line.name, "fine": line.fine, "text": line.text}
                    for line in lines
                ]
            )
        else:
            text = "\n".join(map(str, lines))
        self.stdout.write(text)
        if not all(line.fine for line in lines):
            sys.exit(1)
        if settings.HEARTBEAT_URL and not options["worker"]:
            call_heartbeat()


def call_heartbeat() -> None:
    """Call a monitoring service, which alerts a person if the calls stop.

    So an outage of the machine, the mail server or the network is noticed too.
    """
    url = settings.HEARTBEAT_URL.removeprefix("https://")
    host, _, path = url.partition("/")
    try:
        status, _ = visit_page(host, f"/{path}")
        has_arrived = 200 <= status < 300
        reason = f"status {status}"
    except (OSError, HTTPException, ValueError) as error:
        has_arrived = False
        # Without its text, which can hold the URL: its readers could stop the alert.
        reason = type(error).__name__
    if not has_arrived:
        raise CommandError(f"The heartbeat failed ({reason}). Check HEARTBEAT_URL.")
