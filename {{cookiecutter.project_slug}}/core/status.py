"""The lines of `manage.py status`, beside the services of /health/ready/.

Apps add theirs to LINES.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import (
    HTTPException,
    HTTPSConnection,  # noqa: TID251  # no user gives a URL
)
from ssl import SSLCertVerificationError, cert_time_to_seconds
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from core import proxies
from core.health import SERVICES
from core.jobs import JOBS, WORKER_HERE
from core.models import LastRun, Mail

SILENCE = timedelta(minutes=5)  # of a worker, which leaves a sign each minute
# % if cookiecutter.deployment == "server"
BACKUP_AGE = timedelta(hours=26)
# % endif
CLOCK_DIFFERENCE = timedelta(minutes=1)  # between two machines
# Let's Encrypt's certificates of 45 days are renewed 15 days before their end.
CERTIFICATE_LEFT = timedelta(days=10)
MAIL_AGE, LATE_MAILS = timedelta(minutes=10), 10
FREE_BYTES = 1024**3
HTTPS_SECONDS = 10

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

# Whether it is fine, what was found, and what to do if it is not fine.
type Finding = tuple[bool, str, str]


class Line(NamedTuple):
    name: str
    fine: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.fine else 'BAD':3}  {self.name}: {self.text}"


def is_recent(moment: datetime, age: timedelta) -> bool:
    """Return whether a moment is not older than `age`, and not in the future.

    A sign in the future would hide for a long time what has died since.
    """
    now = timezone.now()
    return now - age < moment < now + CLOCK_DIFFERENCE


def describe_moment(moment: datetime) -> str:
    text = f"{moment:%F %H:%M} UTC"
    if moment > timezone.now() + CLOCK_DIFFERENCE:
        text += " (in the future, so a clock was wrong)"
    return text


def visit_page(host: str, path: str) -> tuple[int, datetime]:
    """Return the status of a page, and when the certificate of its host ends.

    Follow no redirect. Raise OSError or HTTPException without an answer.
    """
    with closing(HTTPSConnection(host, timeout=HTTPS_SECONDS)) as visitor:
        visitor.request("GET", path)
        certificate: Any = visitor.sock.getpeercert()
        end = cert_time_to_seconds(certificate["notAfter"])
        return visitor.getresponse().status, datetime.fromtimestamp(end, UTC)


def start_page() -> Finding:
    """Ask for the start page as a visitor does."""
    host = settings.ALLOWED_HOSTS[0].lstrip(".")
    if settings.DEBUG:
        return True, "not asked with DEBUG", ""
    try:
        status, end = visit_page(host, "/")
    except SSLCertVerificationError as error:
        found = f"browsers refuse the certificate of {host} ({error.verify_message})"
        return False, found, "Renew it, and let nginx read it."
    except (OSError, HTTPException) as error:
        found = f"{host} does not answer on port 443 ({type(error).__name__})"
        advice = (
            "Start nginx, or check the DNS entry and the firewall"
            " of this first host of ALLOWED_HOSTS."
        )
        return False, found, advice
    # An access rule of a team's own sends visitors to the log-in.
    if status not in {200, 302}:
        found = f"the start page of {host} has status {status}"
        return False, found, "Look at the log of the site's server, and start it again."
    return (
        end > timezone.now() + CERTIFICATE_LEFT,
        f"{host} answers, its certificate ends at {end:%F %H:%M} UTC",
        "Look at the log of what renews it, and renew it.",
    )


def worker(name: str = "worker") -> Finding:
    runs = LastRun.objects.filter(name__startswith=name).order_by("at")
    found = (
        ", ".join(f"{run.name} last seen at {describe_moment(run.at)}" for run in runs)
        or "none was ever seen"
    )
    fine = bool(runs) and all(is_recent(run.at, SILENCE) for run in runs)
    return fine, found, "Look at the log of `manage.py worker`, and start it again."


def hung_jobs() -> Finding:
    """Name the jobs that have outlived their limit, which ends their worker."""
    limits = {str(job): timedelta(seconds=job.limit) for job in JOBS}
    hung: list[str] = []
    for start in LastRun.objects.filter(name__startswith="job ").order_by("at"):
        text = start.name.removeprefix("job ")
        limit = limits.get(text.partition(" on ")[0])
        if limit and not is_recent(start.at, limit):
            hung.append(f"{text} has not ended since {describe_moment(start.at)}")
    return (
        not hung,
        ", ".join(hung) or "each ends in time",
        "The worker's log says where it hangs.",
    )


# % if cookiecutter.deployment == "server"
def backup() -> Finding:
    if not (last := LastRun.objects.filter(name="backup").first()):
        return False, "none was ever made", "Make one now, and every night."
    fine = is_recent(last.at, BACKUP_AGE)
    found = f"made at {describe_moment(last.at)}"
    return fine, found, "Look at the log of its timer, which says what failed."


# % endif
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
        or late.filter(kind__lte=Mail.Kind.NORMAL).count() >= LATE_MAILS
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


def proxy_count() -> Finding:
    finding = proxies.present_finding()
    count = settings.TRUSTED_PROXY_COUNT
    return (
        not finding,
        finding or f"no request contradicts TRUSTED_PROXY_COUNT={count}",
        "Count the proxies that you run, and set it to that number: the site's log says"
        " what else it may be.",
    )


LINES: dict[str, Callable[[], Finding]] = {
    "https": start_page,
    "worker": worker,
    "jobs": hung_jobs,
    # % if cookiecutter.deployment == "server"
    "backup": backup,
    # % endif
    "space": space,
    "emails": emails,
    "migrations": migrations,
    "proxies": proxy_count,
}


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
