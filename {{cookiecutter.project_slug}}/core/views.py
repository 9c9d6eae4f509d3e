"""Health checks, security.txt and error pages."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.logging import log_event

READY_TIMEOUT_SECONDS = 2

logger = logging.getLogger(__name__)
executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="health")


@login_not_required
@never_cache
@require_safe
def health_live(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process runs."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def health_ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 when database and cache answer in time, else 503 without naming the one that failed."""
    try:
        # A thread gives a deadline to a database or cache that accepts connections but never answers.
        executor.submit(check_services).result(READY_TIMEOUT_SECONDS)
    except Exception:  # a timeout, or whatever a driver raises
        logger.exception("not ready")
        return HttpResponse("not ready", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


def check_services() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        cache.get("health")
    finally:
        connection.close()


@login_not_required
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Name the contact for vulnerability reports (RFC 9116); the expiry date moves on with each request."""
    expires = (timezone.now() + timedelta(days=30)).replace(microsecond=0).isoformat()
    lines = [
        f"Contact: mailto:{settings.SECURITY_CONTACT}",
        f"Expires: {expires}",
        f"Canonical: https://{settings.DOMAIN_NAME}/.well-known/security.txt",
        "Preferred-Languages: en",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def error_page(request: HttpRequest, exception: Exception | None = None, *, name: str) -> HttpResponse:
    """Return a page that reads nothing of the request. Django's own error views read the body a second time."""
    return HttpResponse(render_to_string(f"{name}.html", {"project_name": settings.SITE_NAME}), status=int(name[:3]))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    log_event("authz_fail", request, level=logging.WARNING)
    return error_page(request, name="403")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    log_event("malicious_csrf", request, level=logging.WARNING)
    return error_page(request, name="403_csrf")
