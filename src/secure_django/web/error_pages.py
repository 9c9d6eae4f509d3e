"""Error pages, which do not read the body: it may have caused the error."""

import logging
from contextlib import suppress

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from secure_django.http import InvalidJSONError
from secure_django.logging import log_event
from secure_django.web.context_processors import project

__all__ = ["UnavailableError"]


class UnavailableError(Exception):
    """What the visitor asked for cannot be done now.

    The answer is the page of the status 503. It says after how many seconds
    (`retry_after`) to try again, unless that is not known (0).
    """

    def __init__(self, *reasons: object, retry_after: int = 0) -> None:
        super().__init__(*reasons)
        self.retry_after = retry_after


def error_page(
    request: HttpRequest, exception: Exception | None = None, *, name: str
) -> HttpResponse:
    """Return the page with the texts of `name`, which starts with the status.

    Django's own error views would read the body a second time.
    """
    page = render_to_string("error.html", project(request) | {"name": name})
    return HttpResponse(page, status=int(name[:3]))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return too_large(request)
    if isinstance(exception, InvalidJSONError):
        discard_body(request)
        return JsonResponse({"detail": str(exception)}, status=400)
    return error_page(request, name="400")


def too_large(request: HttpRequest) -> HttpResponse:
    """Refuse a request for its size."""
    discard_body(request)
    return error_page(request, name="413")


def discard_body(request: HttpRequest) -> None:
    """Read a body to its end: unread, it would reset the connection."""
    with suppress(OSError):  # the client has left
        while request.read(2**16):
            pass


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    log_event("authz_fail", request, level=logging.WARNING)
    return error_page(request, name="403")


def csrf_failure(request: HttpRequest, reason: str) -> HttpResponse:
    log_event("malicious_csrf", request, level=logging.WARNING)
    return error_page(request, name="403_csrf")
