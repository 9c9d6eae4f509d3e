"""The lines of `manage.py status`, beside the services of /health/ready/.

Apps add theirs to LINES.
"""

import shutil
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from core.models import LastRun, Mail

# Of a worker: its longest job takes 15 minutes, then the worker ends itself.
SILENCE = timedelta(minutes=17)
BACKUP_AGE = timedelta(hours=26)
MAIL_AGE, LATE_MAILS = timedelta(minutes=10), 10
FREE_BYTES = 1024**3

# Whether it is fine, what was found, and what to do if it is not fine.
type Finding = tuple[bool, str, str]


def worker(name: str = "worker") -> Finding:
    runs = LastRun.objects.filter(name__startswith=name).order_by("at")
    found = (
        ", ".join(f"{run.name} last seen at {run.at:%F %H:%M} UTC" for run in runs)
        or "none was ever seen"
    )
    fine = bool(runs) and runs[0].at > timezone.now() - SILENCE
    return fine, found, "Look at its log, and start it again."


def backup() -> Finding:
    if not (last := LastRun.objects.filter(name="backup").first()):
        return False, "none was ever made", "Make one now, and every night."
    fine = last.at > timezone.now() - BACKUP_AGE and last.room >= 2
    advice = (
        "Look at the log of its timer."
        " If there is no room, fetch old ones from there, and delete them."
    )
    return (
        fine,
        f"made at {last.at:%F %H:%M} UTC, room for {last.room} more like it",
        advice,
    )


def space() -> Finding:
    folder = settings.MEDIA_ROOT if settings.MEDIA_ROOT.exists() else settings.BASE_DIR
    free = shutil.disk_usage(folder).free
    return (
        free >= FREE_BYTES,
        f"{free / 1024**3:.1f} GB free in {folder}",
        "Make room on this disk.",
    )


def emails() -> Finding:
    late = Mail.objects.filter(created_at__lt=timezone.now() - MAIL_AGE)
    # One that the recipient's server puts off is usual. One that was never tried, or
    # many, are not.
    bad = (
        late.filter(attempts=0).exists()
        or late.filter(kind=Mail.Kind.NORMAL).count() >= LATE_MAILS
    )
    found = (
        f"{Mail.objects.count()} wait, {late.count()} of them for more than 10 minutes"
    )
    return (
        not bad,
        found,
        "Check the mail server and EMAIL_URL: the worker's log says what failed.",
    )


def migrations() -> Finding:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    missing = ", ".join(f"{it.app_label}.{it.name}" for it, _ in plan)
    return not missing, missing or "all are applied", "Run `manage.py migrate`."


LINES: dict[str, Callable[[], Finding]] = {
    "worker": worker,
    "backup": backup,
    "space": space,
    "emails": emails,
    "migrations": migrations,
}
