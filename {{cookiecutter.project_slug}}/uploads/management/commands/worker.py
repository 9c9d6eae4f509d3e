import faulthandler
import logging
import signal
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from uploads import outbox, sweeper
from uploads.notices import send_due_notices
from uploads.services import BATCH_SIZE

logger = logging.getLogger(__name__)
STALE_SECONDS = 15 * 60  # longer than the slowest pass takes
HEARTBEAT = Path(tempfile.gettempdir(), f"worker-{settings.DOMAIN_NAME}")


class Command(BaseCommand):
    help = "Moderate photos that are due, email their owners, and sweep. Several workers can run at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--once", action="store_true", help="do what is due, sweep, and stop (for cron)")
        mode.add_argument("--check", action="store_true", help="fail if the worker on this machine hangs or is gone")

    def handle(self, *args: Any, once: bool, check: bool, **options: Any) -> None:
        if check:
            # Only if the worker hangs: photos that wait for a service are no reason to restart it.
            if not HEARTBEAT.exists() or time.time() - HEARTBEAT.stat().st_mtime > STALE_SECONDS:
                raise CommandError("The worker has left no heartbeat within the last 15 minutes.")
        elif once:
            while work():
                pass
            sweeper.sweep(sweeper.current_turn())
            send_due_notices()
        else:
            run()


def work() -> bool:
    """Do one batch of all work, and return whether there is more."""
    more = outbox.process_due_photos() == outbox.BATCH_SIZE
    return sweeper.delete_removed_files() == BATCH_SIZE or more


def run() -> None:
    """Work until a signal stops the process. An error, such as a stopped database, only ends a pass."""
    stop = Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    pause, swept = 0, 0
    while not stop.wait(pause):
        beat()
        pause = 5
        try:
            if work():
                pause = 0
            if (turn := sweeper.current_turn()) != swept:
                swept = turn
                beat()
                sweeper.sweep(turn)
            send_due_notices()
        except Exception:
            logger.exception("A pass failed")
        close_old_connections()  # reconnects after the database was restarted
    faulthandler.cancel_dump_traceback_later()


def beat() -> None:
    HEARTBEAT.touch()
    # Ends a process that hangs, so that its supervisor starts another one.
    faulthandler.dump_traceback_later(STALE_SECONDS, exit=True)
