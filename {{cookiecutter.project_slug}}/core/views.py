import json
import logging
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
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

from core.context_processors import project
from core.logging import log_event, mask_reset_link
from core.ratelimit import rate_limit
from core.shared_pages import shared_page

READY_TIMEOUT_SECONDS = 2
REPORT_MAX_BYTES = 16 * 1024
REPORTED = {"effectiveDirective", "blockedURL", "documentURL", "effective-directive", "blocked-uri", "document-uri"}

logger = logging.getLogger(__name__)
executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="health")
lock = Lock()
shared_check: tuple[Future[None], list[str], float] | None = None


@login_not_required
@require_safe
@shared_page
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
    """Answer 200 when all services answer in time, else 503. Only the log names the one that failed."""
    check, reached, deadline = running_check()
    try:
        # A thread gives a deadline to a service that accepts connections but never answers.
        check.result(max(0, deadline - time.monotonic()))
    except Exception:  # a timeout, or whatever a driver raises
        logger.exception("not ready: %s", reached[-1])
        return HttpResponse("not ready", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


def running_check() -> tuple[Future[None], list[str], float]:
    """Return the check that runs, or start one. While it hangs, no request waits beyond its deadline."""
    global shared_check
    with lock:
        if shared_check is None or shared_check[0].done():
            reached = ["no service"]
            deadline = time.monotonic() + READY_TIMEOUT_SECONDS
            shared_check = executor.submit(check_services, reached), reached, deadline
        return shared_check


def check_services(reached: list[str]) -> None:
    """Raise an error if a service fails; append the name of each one to `reached` before it is checked."""
    try:
        reached.append("database")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        reached.append("cache")
        cache.get("health")
        reached.append("storage")
        if not default_storage.exists(""):
            # The first file creates the folder. For a bucket, exists() has raised an error.
            default_storage.delete(default_storage.save("health", ContentFile(b"")))
        reached.append("static files")
        staticfiles_storage.url("site.css")
    finally:
        connection.close()


@login_not_required
@csrf_exempt  # browsers send reports without a token
@require_POST
@rate_limit(20, seconds=60, per="ip")
def csp_report(request: HttpRequest) -> HttpResponse:
    """Log violations of the Content-Security-Policy that a browser reports. Nothing is stored."""
    body = request.read(REPORT_MAX_BYTES + 1)
    if len(body) > REPORT_MAX_BYTES:
        return HttpResponse(status=413)
    try:
        report = json.loads(body)
        # `report-to` sends a list, and `report-uri` one report with other names.
        for violation in [it["body"] for it in report[:10]] if isinstance(report, list) else [report["csp-report"]]:
            texts = {name: str(violation[name]) for name in REPORTED & violation.keys()}
            cleaned = {name: mask_reset_link(re.split("[?#]", text)[0])[:200] for name, text in texts.items()}
            # Without the request: reading its user would keep the session alive.
            log_event("csp_violation", level=logging.WARNING, violation=cleaned)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return HttpResponse(status=400)
    return HttpResponse(status=204)


@login_not_required
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Name the contact for vulnerability reports (RFC 9116); the expiry date moves on with each request."""
    lines = [
        f"Contact: mailto:{settings.SECURITY_CONTACT}",
        f"Expires: {timezone.now() + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
        f"Canonical: https://{settings.DOMAIN_NAME}/.well-known/security.txt",
        "Preferred-Languages: en",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def error_page(request: HttpRequest, exception: Exception | None = None, *, name: str) -> HttpResponse:
    """Return a page that reads nothing of the request. Django's own error views read the body a second time."""
    return HttpResponse(render_to_string("error.html", project(request) | {"name": name}), status=int(name[:3]))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return too_large(request) if isinstance(exception, RequestDataTooBig) else error_page(request, name="400")


def too_large(request: HttpRequest) -> HttpResponse:
    """Refuse a request for its size. Its body is read to the end: unread, it would reset the connection before that."""
    with suppress(OSError):  # the client has left
        while request.read(2**16):
            pass
    return error_page(request, name="413")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    log_event("authz_fail", request, level=logging.WARNING)
    return error_page(request, name="403")


def csrf_failure(request: HttpRequest, reason: str) -> HttpResponse:
    log_event("malicious_csrf", request, level=logging.WARNING)
    return error_page(request, name="403_csrf")
