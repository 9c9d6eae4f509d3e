"""The worker: does what due photos wait for."""

import signal
from argparse import ArgumentParser
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand

from uploads.outbox import work

PAUSE_SECONDS = 5


class Command(BaseCommand):
    help = "Sends photos to moderation and asks for verdicts; any number of these may run at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until stopped")

    def handle(self, *args: Any, loop: bool, **options: Any) -> None:
        stop = Event()
        if loop:
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, lambda *_: stop.set())
        while True:
            done = work()
            if done or not loop:
                self.stdout.write(f"{done} photos moved on")
            if not loop or stop.wait(0 if done else PAUSE_SECONDS):
                return
