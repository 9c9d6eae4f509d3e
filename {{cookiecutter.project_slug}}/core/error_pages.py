"""The pages of errors."""

import logging
from contextlib import suppress

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from core.context_processors import project
from core.logging import log_event


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
