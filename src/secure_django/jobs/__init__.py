"""Jobs: the work that the worker does outside of requests.

An app declares its jobs in a module `jobs`, or in several such as `jobs_reminders`,
with the decorator `job`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from socket import gethostname
from typing import NamedTuple

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from secure_django.clock import CLOCK_DIFFERENCE
from secure_django.mail import outbox as mail
from secure_django.mail import suppressions
from secure_django.models import LastRun
from secure_django.web.session_age import delete_sessions_ahead

__all__ = ["around", "job"]

HERE = f" on {gethostname()}"
WORKER_HERE = f"worker{HERE}"
LIMIT = 15 * 60


class Job(NamedTuple):
    work: Callable[[], object]
    every: int  # seconds
    lane: str
    limit: int = LIMIT  # seconds

    def __str__(self) -> str:
        return f"{self.work.__module__}.{self.work.__name__}"

    @property
    def row(self) -> str:
        """Return the name of the row that exists while the job runs on this machine."""
        return f"job {self}{HERE}"

    @property
    def row_of_failures(self) -> str:
        """Return the name of the row that exists while each run of the job fails."""
        return f"failing job {self}{HERE}"


JOBS: list[Job] = []

type Around = Callable[[str], AbstractContextManager[object]]
AROUND: list[Around] = []


def job[Work: Callable[[], object]](
    *, every: int, lane: str = "", limit: int = LIMIT
) -> Callable[[Work], Work]:
    """Make each worker call the function once in every period of `every` seconds.

    If the function returns True, the worker calls it again at once. The function must
    be safe to repeat: several workers may run it at the same time, and one may die at
    any line. A worker runs the jobs of a lane one after the other, and lanes in
    parallel.

    If a job takes longer than `limit` seconds, its worker exits. The next worker runs
    this job last in its lane.
    """

    def register(work: Work) -> Work:
        if every < 1 or limit < 1:
            message = f"{work.__name__}: every and limit are at least 1 second."
            raise ImproperlyConfigured(message)
        JOBS.append(Job(work, every, lane, limit))
        return work

    return register


def around[Wrapper: Around](wrapper: Wrapper) -> Wrapper:
    """Make each worker run each job within `with wrapper(name):`, such as a trace."""
    AROUND.append(wrapper)
    return wrapper


@job(every=300)
def delete_expired() -> None:
    """Delete expired sessions and rows of the cache, which Django keeps.

    The keys of the cache contain IP addresses.
    """
    if apps.is_installed("django.contrib.sessions"):
        call_command("clearsessions")
        delete_sessions_ahead()
    with connection.cursor() as cursor:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        cursor.execute("DELETE FROM django_cache WHERE expires < %s", [now])
    suppressions.delete_lifted()
    delete_removed_machines()


def delete_removed_machines() -> None:
    """Delete the rows of machines whose worker did not shut down, a day ago.

    A time ahead is that of a wrong clock: a worker that runs writes it again.
    """
    now = timezone.now()
    is_old = Q(at__lt=now - timedelta(days=1)) | Q(at__gt=now + CLOCK_DIFFERENCE)
    signs = LastRun.objects.filter(name__startswith="worker on ")
    old = LastRun.objects.filter(is_old, name__contains=" on ")
    for sign in signs.exclude(is_old):
        old = old.exclude(name__endswith=sign.name.removeprefix("worker"))
    old.exclude(name__endswith=HERE).delete()


# In the lane of the emails, whose jobs are short, so that no long job delays this.
@job(every=60, lane="mail", limit=120)
def leave_sign() -> None:
    """Record that this worker runs, for `manage.py status` on any machine."""
    for name in ("worker", WORKER_HERE):
        LastRun.objects.update_or_create(name=name, defaults={"at": timezone.now()})


@job(every=1, lane="mail", limit=120)
def send_mails() -> bool:
    return mail.send_waiting()
