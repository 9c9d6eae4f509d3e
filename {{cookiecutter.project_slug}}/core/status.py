"""What `manage.py status` looks at. An app adds a line of its own in its module `jobs`, by the decorator `status`."""

import shutil
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from core.models import LastRun, Mail

SILENCE = timedelta(minutes=17)  # of a worker: its longest job takes 15, then the worker ends itself
BACKUP_AGE = timedelta(hours=26)
MAIL_AGE, LATE_MAILS = timedelta(minutes=10), 10
FREE_BYTES = 1024**3

LINES: dict[str, Callable[[], str]] = {}


class NotFine(Exception):
    """Tell a person what is wrong, and what to do."""


def status[Look: Callable[[], str]](name: str) -> Callable[[Look], Look]:
    """Add a line. The function returns what it found, or raises NotFine. It is called if the database answers."""

    def register(look: Look) -> Look:
        LINES[name] = look
        return look

    return register


@status("worker")
def worker(name: str = "worker") -> str:
    runs = list(LastRun.objects.filter(name__startswith=name).order_by("at"))
    if not runs or runs[0].at < timezone.now() - SILENCE:
        silent = f"{runs[0].name}: silent since {runs[0].at:%F %H:%M} UTC" if runs else "no sign of a worker"
        raise NotFine(f"{silent}. Look at its log, and start it again.")
    return f"runs, last sign at {runs[-1].at:%F %H:%M} UTC"


@status("backup")
def backup() -> str:
    last = LastRun.objects.filter(name="backup").first()
    if not last:
        raise NotFine("none was ever made. Make one now, and every night.")
    found = f"made at {last.at:%F %H:%M} UTC, room for {last.room} more like it"
    if last.at < timezone.now() - BACKUP_AGE:
        raise NotFine(f"{found}: it is too old. Look at the log of its timer, and make one now.")
    if last.room < 2:
        raise NotFine(f"{found}. Fetch old ones from there, and delete them.")
    return found


@status("space")
def space() -> str:
    folder = settings.MEDIA_ROOT if settings.MEDIA_ROOT.exists() else settings.BASE_DIR
    free = shutil.disk_usage(folder).free
    found = f"{free / 1024**3:.1f} GB free in {folder}"
    if free < FREE_BYTES:
        raise NotFine(f"{found}. Make room on this disk: `du` finds what takes it.")
    return found


@status("emails")
def emails() -> str:
    late = Mail.objects.filter(created_at__lt=timezone.now() - MAIL_AGE)
    found = f"{Mail.objects.count()} wait, {late.count()} of them for more than 10 minutes"
    # One that the recipient's server puts off is usual. One that was never tried, or many, are not.
    if late.filter(attempts=0).exists() or late.filter(kind=Mail.Kind.NORMAL).count() >= LATE_MAILS:
        raise NotFine(f"{found}. Check the mail server and EMAIL_URL: the worker's log says what failed.")
    return found


@status("migrations")
def migrations() -> str:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing := ", ".join(f"{it.app_label}.{it.name}" for it, _ in plan):
        raise NotFine(f"not applied: {missing}. Run `manage.py migrate`.")
    return "all applied"
