"""The lines of `manage.py status`: the services of /health/ready/, and the checks here.

Apps add their checks to LINES.
"""

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import (
    HTTPException,
    HTTPSConnection,  # noqa: TID251  # no user gives a URL
)
from ssl import SSLCertVerificationError, cert_time_to_seconds
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from django.tasks import TaskResultStatus
from django.utils import timezone

from secure_django.clock import CLOCK_DIFFERENCE, is_ahead, shared_time
from secure_django.due import DueQuerySet
from secure_django.jobs import JOBS, WORKER_HERE
from secure_django.models import LastRun, Mail, QueuedTask, Suppression
from secure_django.web import proxies
from secure_django.web.health import SERVICES
from secure_django.web.links import own_host

SILENCE = timedelta(minutes=5)  # of a worker, which updates its row each minute
BACKUP_AGE = timedelta(hours=26)
# Let's Encrypt's certificates of 45 days are renewed 15 days before their end.
CERTIFICATE_LEFT = timedelta(days=10)
MAIL_AGE = timedelta(minutes=10)
DAY = timedelta(days=1)
TASK_AGE = timedelta(hours=1)
STUCK_AGE = timedelta(minutes=10)  # of a job that fails, and of tasks that wait
LATE_MAILS = 10  # this many are a fault, even if each was tried
FREE_BYTES = 1024**3
HTTPS_SECONDS = 10

# What to do about a status of the start page.
STATUS_ADVICE = {
    301: (
        "If it leads to itself, set TRUSTED_PROXY_COUNT to the number of proxies"
        " that you run."
    ),
}
OTHER_STATUS_ADVICE = "Look at the log of the site's server, and start it again."
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


class Finding(NamedTuple):
    """What a check has found about one part of the site."""

    is_fine: bool
    text: str
    advice: str = ""  # what to do if the part is not fine


type Check = Callable[[], Finding]


class Line(NamedTuple):
    name: str
    fine: bool
    text: str

    def __str__(self) -> str:
        label = "ok " if self.fine else "BAD"
        return f"{label}  {self.name}: {self.text}"


def is_recent(moment: datetime, age: timedelta) -> bool:
    """Return whether a moment is not older than `age`, and not in the future.

    A time in the future, from a wrong clock, would hide a failure until then.
    """
    now = timezone.now()
    return now - age < moment < now + CLOCK_DIFFERENCE


def describe_moment(moment: datetime) -> str:
    text = f"{moment:%F %H:%M} UTC"
    if is_ahead(moment):
        text += " (in the future, so a clock was wrong)"
    return text


def visit_page(host: str, path: str) -> tuple[int, datetime]:
    """Return the status of a page, and when the certificate of its host ends.

    Follow no redirect. Raise OSError or HTTPException without an answer.
    """
    with closing(HTTPSConnection(host, timeout=HTTPS_SECONDS)) as visitor:
        visitor.request("GET", path)
        certificate: Any = visitor.sock.getpeercert()
        seconds = cert_time_to_seconds(certificate["notAfter"])
        end = datetime.fromtimestamp(seconds, UTC)
        return visitor.getresponse().status, end


def check_start_page() -> Finding:
    """Request the start page as a visitor does."""
    host = own_host()
    if settings.DEBUG:
        return Finding(True, "not checked with DEBUG")
    try:
        status, end = visit_page(host, "/")
    except SSLCertVerificationError as error:
        text = f"browsers refuse the certificate of {host} ({error.verify_message})"
        return Finding(False, text, "Renew it, and reload the proxy that shows it.")
    except (OSError, HTTPException) as error:
        text = f"{host} does not answer by HTTPS ({type(error).__name__})"
        advice = (
            "Start the proxy, or check the DNS entry and the firewall"
            " of this host, which SITE_URL can name."
        )
        return Finding(False, text, advice)
    # A team's own access rule may redirect visitors to the log-in.
    if status not in {200, 302}:
        text = f"the start page of {host} has status {status}"
        return Finding(False, text, STATUS_ADVICE.get(status, OTHER_STATUS_ADVICE))
    is_valid = end > timezone.now() + CERTIFICATE_LEFT
    return Finding(
        is_valid,
        f"{host} answers, its certificate ends at {end:%F %H:%M} UTC",
        "Renew it, and read the log of what should have done so.",
    )


def check_workers(name: str = "worker") -> Finding:
    runs = list(LastRun.objects.filter(name__startswith=name).order_by("at"))
    seen = [f"{run.name} last seen at {describe_moment(run.at)}" for run in runs]
    is_fine = bool(runs) and all(is_recent(run.at, SILENCE) for run in runs)
    return Finding(
        is_fine,
        ", ".join(seen) or "none was ever seen",
        "Look at the log of `manage.py worker`, and start it again.",
    )


def check_own_worker() -> Finding:
    """Check the worker of this machine alone."""
    return check_workers(WORKER_HERE)


def check_jobs() -> Finding:
    """Name the jobs that have exceeded their limit, and those that always fail.

    A limit ends the worker. A failure counts once the job has had another turn.
    """
    known_jobs = {str(job): job for job in JOBS}
    is_of_job = Q(name__startswith="job ") | Q(name__startswith="failing job ")
    bad: list[str] = []
    for run in LastRun.objects.filter(is_of_job).order_by("at"):
        kind, _, name = run.name.partition("job ")
        job = known_jobs.get(name.partition(" on ")[0])
        if job is None:  # of another release
            continue
        since = describe_moment(run.at)
        age = timedelta(seconds=job.every) + STUCK_AGE
        if not kind and not is_recent(run.at, timedelta(seconds=job.limit)):
            bad.append(f"{name} has not ended since {since}")
        elif kind and not is_recent(run.at, age):
            bad.append(f"{name} fails each time since {since}")
    text = ", ".join(bad) or "each ends in time"
    return Finding(not bad, text, "The worker's log says where it hangs or fails.")


def check_backup() -> Finding:
    last = LastRun.objects.filter(name="backup").first()
    if last is None:
        return Finding(False, "none was ever made", "Make one now, and every night.")
    is_fine = is_recent(last.at, BACKUP_AGE)
    text = f"made at {describe_moment(last.at)}"
    return Finding(
        is_fine, text, "Look at the log of its timer, which says what failed."
    )


def check_space() -> Finding:
    folder = settings.MEDIA_ROOT
    if not folder.exists():
        folder = settings.BASE_DIR
    free = shutil.disk_usage(folder).free
    text = f"{round(free / 1024**3, 1):g} GB free in {folder}"
    return Finding(free >= FREE_BYTES, text, "Make room on this disk.")


def check_emails() -> Finding:
    late = Mail.objects.filter(created_at__lt=timezone.now() - MAIL_AGE)
    # Recipients' servers often defer a few emails. An email that was never tried shows
    # a fault, and so do many late ones to users.
    has_untried = late.filter(attempts=0).exists()
    late_to_users = late.filter(kind__lte=Mail.Kind.NORMAL).count()
    waiting = Mail.objects.count()
    is_fine = not has_untried and late_to_users < LATE_MAILS
    blocked = Suppression.objects.filter(at__gt=timezone.now() - DAY, lifted_at=None)
    return Finding(
        is_fine,
        f"{waiting} wait, {late.count()} of them for more than 10 minutes;"
        f" addresses that were blocked within a day: {blocked.count()}",
        "Check the mail server and EMAIL_URL: the worker's log says what failed.",
    )


def check_tasks() -> Finding:
    """Count Django's tasks that wait, and those that were given up."""
    now = timezone.now()
    waiting = QueuedTask.objects.exclude(due_at=None)
    hour_ago = now - TASK_AGE
    # An unknown task is due again each minute.
    late = waiting.due().filter(due_at__lt=hour_ago).count()
    unknown = waiting.filter(unknown_since__lt=hour_ago).count()
    failed = QueuedTask.objects.filter(status=TaskResultStatus.FAILED)
    given_up = failed.filter(finished_at__gt=now - DAY).count()
    stuck = list(find_stuck_queues(waiting))
    text = (
        f"{waiting.count()} wait, {late} of them for more than an hour,"
        f" {unknown} of them for code that has them;"
        f" {given_up} were given up within a day"
    )
    if stuck:
        text += f"; none began for ten minutes in {', '.join(stuck)}"
    return Finding(
        not (late or unknown or given_up or stuck),
        text,
        "The admin's list of tasks says why, and repeats them. If many wait, start more"
        " workers. If none begins, the worker's log says why.",
    )


def find_stuck_queues(waiting: DueQuerySet[QueuedTask]) -> Iterator[str]:
    """Yield the queues with due tasks in which no worker does anything."""
    now = shared_time(waiting.db)
    since = now - STUCK_AGE
    due = waiting.due().filter(due_at__lt=since).order_by("backend", "queue")
    for backend, queue in due.values_list("backend", "queue").distinct():
        rows = QueuedTask.objects.filter(backend=backend, queue=queue)
        # What is ahead is of a wrong clock, and no sign of work.
        is_claimed = Q(claimed_until__range=(now, now + STUCK_AGE))
        has_begun = Q(last_attempted_at__range=(since, now + CLOCK_DIFFERENCE))
        if not rows.filter(is_claimed | has_begun).exists():
            yield f"the queue {queue}"


def check_migrations() -> Finding:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    missing = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    text = ", ".join(missing) or "all are applied"
    return Finding(not missing, text, "Run `manage.py migrate`.")


def check_proxy_count() -> Finding:
    count = settings.TRUSTED_PROXY_COUNT
    finding = proxies.present_finding()
    return Finding(
        not finding,
        finding or f"no request contradicts TRUSTED_PROXY_COUNT={count}",
        "Set TRUSTED_PROXY_COUNT to the number of proxies that you run: the site's log"
        " says what else may be wrong.",
    )


LINES: dict[str, Check] = {
    "https": check_start_page,
    "worker": check_workers,
    "jobs": check_jobs,
    "backup": check_backup,
    "space": check_space,
    "emails": check_emails,
    "tasks": check_tasks,
    "migrations": check_migrations,
    "proxies": check_proxy_count,
}


def check_site(skipped: Collection[str]) -> list[Line]:
    """Return a line for each service and each check, except those to skip."""
    services = {name: partial(check_service, name) for name in SERVICES}
    lines = run_checks(services, skipped)
    if any(line.name == "database" and not line.fine for line in lines):
        return lines  # the other checks read the database
    return lines + run_checks(LINES, skipped)


def check_service(name: str) -> Finding:
    SERVICES[name]()
    return Finding(True, "answers")


def run_checks(checks: Mapping[str, Check], skipped: Collection[str]) -> list[Line]:
    return [run_check(name, checks[name]) for name in checks if name not in skipped]


def run_check(name: str, check: Check) -> Line:
    try:
        is_fine, text, advice = check()
    except Exception as error:
        # Without the error's text, which can hold a value.
        is_fine = False
        text = f"failed with {type(error).__name__}"
        advice = ADVICE.get(name, f"Correct `LINES[{name!r}]` of secure_django.status.")
    if not is_fine:
        text = f"{text}. {advice}"
    return Line(name, is_fine, text)
