"""Health checks for load balancers, deploy/release and `manage.py status`."""

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryFile
from threading import Lock

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

# % if cookiecutter.deployment == "server"
from core import live_release

# % endif
FREE_BYTES = 200 * 1024**2  # more than all uploads at one moment take

logger = logging.getLogger(__name__)
checking, checked_at, is_ready = Lock(), 0.0, False


@never_cache
@require_safe
def health_live(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def health_ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 if all services answered within the last second, else 503.

    Only the log names the one that failed.
    """
    global checked_at, is_ready
    now = time.monotonic()
    if checking.acquire(blocking=False):
        try:
            if now >= checked_at + 1:
                checked_at = now
                is_ready = all(map(is_answering, SERVICES))
        finally:
            checking.release()
        answer = is_ready
    else:
        # Another request checks. If a service hangs, this one does not wait too, and
        # the last answer is out of date.
        answer = is_ready and now < checked_at + 2
    # % if cookiecutter.deployment == "server"
    answer = answer and live_release.is_asked_for(request)
    # % endif
    return HttpResponse(
        "ok" if answer else "not ready",
        status=200 if answer else 503,
        content_type="text/plain",
    )


def is_answering(service: str) -> bool:
    try:
        SERVICES[service]()
    except Exception:
        # Whatever a driver raises, within the timeouts of config/environment.py.
        logger.exception("not ready: %s", service)
        return False
    return True


def check_storage() -> None:
    if not default_storage.exists(""):
        # The first file creates the folder. For a bucket, exists() has raised an error.
        default_storage.delete(default_storage.save("health", ContentFile(b"")))
    with suppress(NotImplementedError):  # a bucket has no folder, and is never full
        folder = default_storage.path("")
        if shutil.disk_usage(folder).free < FREE_BYTES:
            raise OSError("The disk is full.")
        # Read-only disks: the flags of one that an error made so need not show it, such
        # as those of ext4 since Linux 6.12.
        TemporaryFile(dir=folder).close()


SERVICES: dict[str, Callable[[], object]] = {
    "database": lambda: connection.cursor().execute("SELECT 1"),
    "cache": lambda: cache.get("health"),
    "storage": check_storage,
    "static files": lambda: staticfiles_storage.url("site.css"),
}
