"""Reports of browsers about violations of the Content-Security-Policy."""

import logging
import re
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from secure_django.http import InvalidJSONError, parse_json, read_body
from secure_django.logging import log_event, mask_tokens
from secure_django.ratelimit import rate_limit

type Violation = dict[str, Any]

REPORT_MAX_BYTES = 16 * 1024
# Of `report-to`, of `report-uri`, and of older browsers.
REPORT_TYPES = (
    "application/reports+json",
    "application/csp-report",
    "application/json",
)
MAX_VIOLATIONS = 10  # of a report
MAX_LENGTH = 200  # of a logged text, in characters
# The fields of a violation as `report-to` names them, and as `report-uri` does.
LOGGED_FIELDS = {
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
    for violation in read_violations(request):
        # Without the request: reading its user would keep the session alive.
        log_event(
            "csp_violation", level=logging.WARNING, violation=clean_violation(violation)
        )
    return HttpResponse(status=204)


def read_violations(request: HttpRequest) -> list[Violation]:
    """Return violations: `report-to` sends a list of them, and `report-uri` one."""
    report = parse_json(read_body(request, REPORT_MAX_BYTES, REPORT_TYPES))
    if isinstance(report, list):
        violations = [member(entry, "body") for entry in report[:MAX_VIOLATIONS]]
    else:
        violations = [member(report, "csp-report")]
    if not all(isinstance(violation, dict) for violation in violations):
        raise InvalidJSONError("The JSON is no report of a violation.")
    return violations


def member(content: Any, name: str) -> Any:
    return content.get(name) if isinstance(content, dict) else None


def clean_violation(violation: Violation) -> dict[str, str]:
    """Return the fields to log, without queries, fragments and tokens."""
    cleaned = {}
    for name in LOGGED_FIELDS & violation.keys():
        url = re.split("[?#]", str(violation[name]))[0]
        cleaned[name] = mask_tokens(url)[:MAX_LENGTH]
    return cleaned
