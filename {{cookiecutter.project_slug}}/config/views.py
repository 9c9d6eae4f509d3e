"""Health, security.txt, error pages, and what every template may use."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.logs import log_event

READY_DEADLINE_SECONDS = 2

prober = ThreadPoolExecutor(max_workers=2, thread_name_prefix="health")


@login_not_required
@never_cache
@require_safe
def health_live(request: HttpRequest) -> HttpResponse:
    """Answers while the process does."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def health_ready(request: HttpRequest) -> HttpResponse:
    """Answers 200 when database and cache do within the deadline, else 503 without saying which one did not."""
    try:
        # In a thread: neither a silent database nor a silent cache can be given a deadline otherwise.
        prober.submit(reach_services).result(READY_DEADLINE_SECONDS)
    except Exception:  # the deadline, and whatever a driver raises, mean the same here
        logging.getLogger("config.health").exception("not ready")
        return HttpResponse("not ready", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


def reach_services() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        cache.get("health")
    finally:
        connection.close()


@login_not_required
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Tells finders of a hole whom to write to (RFC 9116); stays valid for as long as the site is up."""
    expires = (timezone.now() + timedelta(days=30)).replace(microsecond=0).isoformat()
    lines = [
        f"Contact: mailto:{settings.SECURITY_CONTACT}",
        f"Expires: {expires}",
        f"Canonical: https://{settings.DOMAIN_NAME}/.well-known/security.txt",
        "Preferred-Languages: en",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    log_event("authz_fail", request, level=logging.WARNING)
    return render(request, "403.html", status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    log_event("malicious_csrf", request, level=logging.WARNING)
    return render(request, "403_csrf.html", status=403)


def site(request: HttpRequest) -> dict[str, str]:
    """Not `site_name`: Django's log-in page sets that to the host."""
    return {"project_name": settings.SITE_NAME}
