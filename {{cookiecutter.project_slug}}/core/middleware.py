"""Headers that Django does not set itself, the time limits of a session, and rate limits that fail closed."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from core.logging import log_event

GetResponse = Callable[[HttpRequest], HttpResponse]

# No view needs another method. A function view without a restriction would even answer TRACE.
ALLOWED_METHODS = ["GET", "HEAD", "OPTIONS", "POST"]
# An active session is saved at most this often.
RENEW_AFTER = timedelta(minutes=1)


class ResponseHeadersMiddleware:
    """Refuse unused methods, and add to every response the headers that no other middleware adds."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        allowed = request.method in ALLOWED_METHODS
        response = self.get_response(request) if allowed else HttpResponseNotAllowed(ALLOWED_METHODS)
        if response.status_code == 405 and not response.streaming:
            response.content = render(request, "405.html").content
            response.headers["Content-Length"] = str(len(response.content))
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if response.cookies and "Cache-Control" not in response.headers:
            # A response that sets a cookie is meant for one visitor.
            add_never_cache_headers(response)
        if getattr(request, "logged_out", False):
            response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        return response


class SessionTimeoutMiddleware:
    """End a session after SESSION_COOKIE_AGE seconds without a page, and after SESSION_ABSOLUTE_AGE in any case.

    The expiry is stored with the session and enforced by its store, so a request costs no extra query.
    Image requests do not renew a session: each thumbnail would write one.
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


class RateLimitFailClosedMiddleware:
    """Answer 503 while the cache that counts attempts is down, and log requests over a rate limit."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 429:
            log_event("excess_rate_limit_exceeded", request)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        try:
            cache.get("reached")
        except Exception:  # each cache driver raises exceptions of its own
            logging.getLogger(__name__).exception("cache unavailable, attempts cannot be counted")
            return render(request, "503.html", status=503)
        return None
