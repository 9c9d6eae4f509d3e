import logging
import signal
from argparse import ArgumentParser
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from uploads.outbox import BATCH_SIZE, process_due_photos

logger = logging.getLogger(__name__)
PAUSE_SECONDS, MAX_PAUSE_SECONDS = 5, 300


class Command(BaseCommand):
    help = "Process due photos: request moderation and fetch verdicts. Several of these can run at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="run until stopped")

    def handle(self, *args: Any, loop: bool, **options: Any) -> None:
        stop = Event()
        if loop:
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, lambda *_: stop.set())
        pause = PAUSE_SECONDS
        while True:
            try:
                processed = process_due_photos()
                pause = PAUSE_SECONDS if processed < BATCH_SIZE else 0
                if processed or not loop:
                    self.stdout.write(f"photos processed: {processed}")
            except Exception:
                if not loop:
                    raise
                logger.exception("A pass failed")
                pause = min(max(pause, PAUSE_SECONDS) * 2, MAX_PAUSE_SECONDS)
            if not loop or stop.wait(pause):
                return
            # Reconnects after the database was restarted.
            close_old_connections()
