"""Reports of browsers about violations of the Content-Security-Policy."""

import json
import logging
import re

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from core.logging import log_event, mask_tokens
from core.ratelimit import rate_limit

REPORT_MAX_BYTES = 16 * 1024
REPORTED = {
    "effectiveDirective",
    "blockedURL",
    "documentURL",
    "effective-directive",
    "blocked-uri",
    "document-uri",
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
