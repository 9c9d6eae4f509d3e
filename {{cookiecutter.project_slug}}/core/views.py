import json
import logging
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from tempfile import TemporaryFile
from threading import Lock

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.cache import cache
from django.core.exceptions import RequestDataTooBig
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from core import (
    caching,
    # % if cookiecutter.deployment == "server"
    live_release,
    # % endif
)
from core.context_processors import project
from core.logging import log_event, mask_tokens
from core.ratelimit import rate_limit

REPORT_MAX_BYTES = 16 * 1024
FREE_BYTES = 200 * 1024**2  # more than all uploads at one moment take
REPORTED = {
    "effectiveDirective",
    "blockedURL",
    "documentURL",
    "effective-directive",
    "blocked-uri",
    "document-uri",
}

logger = logging.getLogger(__name__)
checking, checked_at, is_ready = Lock(), 0.0, False


@login_not_required
@require_safe
@caching.microcache
def home(request: HttpRequest) -> HttpResponse:
    """Show the start page, unless a page of an app has the same path."""
    return render(request, "home.html")


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


@login_not_required
@csrf_exempt  # browsers send reports without a token
@require_POST
@rate_limit(20, seconds=60, per="ip")
def csp_report(request: HttpRequest) -> HttpResponse:
    """Log, but do not store, reported violations of the Content-Security-Policy."""
    body = request.read(REPORT_MAX_BYTES + 1)
    if len(body) > REPORT_MAX_BYTES:
        return HttpResponse(status=413)
    try:
        report = json.loads(body)
        # `report-to` sends a list, and `report-uri` one report with other names.
        for violation in (
            [it["body"] for it in report[:10]]
            if isinstance(report, list)
            else [report["csp-report"]]
        ):
            texts = {name: str(violation[name]) for name in REPORTED & violation.keys()}
            cleaned = {
                name: mask_tokens(re.split("[?#]", text)[0])[:200]
                for name, text in texts.items()
            }
            # Without the request: reading its user would keep the session alive.
            log_event("csp_violation", level=logging.WARNING, violation=cleaned)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return HttpResponse(status=400)
    return HttpResponse(status=204)


@login_not_required
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Name the contact for vulnerability reports (RFC 9116).

    The expiry date moves on with each request.
    """
    lines = [
        f"Contact: mailto:{settings.SECURITY_CONTACT}",
        f"Expires: {timezone.now() + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
        f"Canonical: https://{settings.DOMAIN_NAME}/.well-known/security.txt",
        "Preferred-Languages: en",
    ]
    return HttpResponse(
        "\n".join(lines) + "\n", content_type="text/plain; charset=utf-8"
    )


def error_page(
    request: HttpRequest, exception: Exception | None = None, *, name: str
) -> HttpResponse:
    """Return a page that reads nothing of the request.

    Django's own error views read the body a second time.
    """
    return HttpResponse(
        render_to_string("error.html", project(request) | {"name": name}),
        status=int(name[:3]),
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return (
        too_large(request)
        if isinstance(exception, RequestDataTooBig)
        else error_page(request, name="400")
    )


def too_large(request: HttpRequest) -> HttpResponse:
    """Refuse a request for its size.

    Its body is read to the end: unread, it would reset the connection first.
    """
    discard_body(request)
    return error_page(request, name="413")


def discard_body(request: HttpRequest) -> None:
    with suppress(OSError):  # the client has left
        while request.read(2**16):
            pass


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    log_event("authz_fail", request, level=logging.WARNING)
    return error_page(request, name="403")


def csrf_failure(request: HttpRequest, reason: str) -> HttpResponse:
    log_event("malicious_csrf", request, level=logging.WARNING)
    return error_page(request, name="403_csrf")
