"""Health checks for load balancers and `manage.py status`."""

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

from secure_django.web import live_release

FREE_BYTES = 200 * 1024**2  # more than all uploads at one moment take

CHECK_SECONDS = 1  # between two checks of the services

logger = logging.getLogger(__name__)
checking = Lock()
checked_at = 0.0  # of the monotonic clock
is_ready = False


@never_cache
@require_safe
def health_live(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def health_ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 if all services answered within the last second, else 503.

    Only the log names the service that failed.
    """
    is_fine = are_services_ready()
    is_fine = is_fine and live_release.is_asked_for(request)
    if is_fine:
        return HttpResponse("ok", content_type="text/plain")
    return HttpResponse("not ready", status=503, content_type="text/plain")


def are_services_ready() -> bool:
    """Return whether all services answered within the last second."""
    global checked_at, is_ready
    now = time.monotonic()
    if not checking.acquire(blocking=False):
        # Another request is checking, and this one does not wait. If a service hangs,
        # the last result becomes too old.
        return is_ready and now < checked_at + 2 * CHECK_SECONDS
    try:
        if now >= checked_at + CHECK_SECONDS:
            checked_at = now
            is_ready = all(map(is_answering, SERVICES))
    finally:
        checking.release()
    return is_ready


def is_answering(service: str) -> bool:
    try:
        SERVICES[service]()
    except Exception:
        # Each driver raises its own exceptions, at the timeouts of
        # secure_django/conf/environment.py.
        logger.exception("not ready: %s", service)
        return False
    return True


def check_storage() -> None:
    if not default_storage.exists(""):
        # Saving the first file creates the folder. For a missing bucket, exists() has
        # raised an error.
        name = default_storage.save("health", ContentFile(b""))
        default_storage.delete(name)
    with suppress(NotImplementedError):  # a bucket has no folder, and is never full
        folder = default_storage.path("")
        if shutil.disk_usage(folder).free < FREE_BYTES:
            raise OSError("The disk is full.")
        # Only a new file shows that the disk is writable: since Linux 6.12, the flags
        # of ext4 do not show that an error made it read-only.
        TemporaryFile(dir=folder).close()


SERVICES: dict[str, Callable[[], object]] = {
    "database": lambda: connection.cursor().execute("SELECT 1"),
    "cache": lambda: cache.get("health"),
    "storage": check_storage,
    "static files": lambda: staticfiles_storage.url("site.css"),
}
