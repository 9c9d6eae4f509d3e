"""Headers that Django does not set itself, and the limits of a session."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

GetResponse = Callable[[HttpRequest], HttpResponse]

# Nothing here answers other methods; a function view without a restriction would even answer TRACE.
METHODS = ["GET", "HEAD", "OPTIONS", "POST"]
# A busy session is written at most this often.
RENEW_AFTER = timedelta(minutes=1)


class ResponseHeadersMiddleware:
    """Refuses odd methods, and adds to every response what no other middleware adds."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request) if request.method in METHODS else HttpResponseNotAllowed(METHODS)
        if response.status_code == 405 and not response.streaming:
            response.content = render(request, "405.html").content
            response.headers["Content-Length"] = str(len(response.content))
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if response.cookies and "Cache-Control" not in response.headers:
            # Whose cookie it sets, theirs alone is the answer.
            add_never_cache_headers(response)
        if getattr(request, "logged_out", False):
            response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        return response


class SessionLimitsMiddleware:
    """Ends sessions after SESSION_COOKIE_AGE without a page and SESSION_ABSOLUTE_AGE in any case.

    The end is stored with the session, whose store enforces it; so a request costs no extra query, and
    images, which would write a session for each thumbnail, are left alone.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_image = response.headers.get("Content-Type", "").startswith("image/")
        if is_image or not request.session.accessed or not request.user.is_authenticated:
            return response
        if "Cache-Control" not in response.headers:
            add_never_cache_headers(response)
        now = timezone.now()
        session = request.session
        started = datetime.fromisoformat(session.setdefault("started", now.isoformat()))
        renewed = session.get("renewed")
        if not renewed or now - datetime.fromisoformat(renewed) >= RENEW_AFTER:
            session["renewed"] = now.isoformat()
            idle = timedelta(seconds=settings.SESSION_COOKIE_AGE)
            session.set_expiry(min(now + idle, started + settings.SESSION_ABSOLUTE_AGE))
        return response
