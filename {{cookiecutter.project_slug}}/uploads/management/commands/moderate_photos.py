"""The worker: does what due photos wait for."""

import logging
import signal
from argparse import ArgumentParser
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from uploads.outbox import BATCH, work

logger = logging.getLogger(__name__)
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5, 300


class Command(BaseCommand):
    help = "Sends photos to moderation and asks for verdicts; any number of these may run at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until stopped")

    def handle(self, *args: Any, loop: bool, **options: Any) -> None:
        stop = Event()
        if loop:
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, lambda *_: stop.set())
        pause = PAUSE_SECONDS
        while True:
            try:
                done = work()
                pause = PAUSE_SECONDS if done < BATCH else 0
                if done or not loop:
                    self.stdout.write(f"photos moved on: {done}")
            except Exception:
                if not loop:
                    raise
                logger.exception("A pass failed")
                pause = min(max(pause, PAUSE_SECONDS) * 2, LONGEST_PAUSE_SECONDS)
            if not loop or stop.wait(pause):
                return
            # A database that went away is connected to anew.
            close_old_connections()
