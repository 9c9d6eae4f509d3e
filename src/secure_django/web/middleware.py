import logging
import re
import time
from contextlib import suppress
from datetime import datetime, timedelta
from http.cookies import CookieError
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import resolve
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin
from django.utils.encoding import iri_to_uri

from secure_django.logging import log_event, request_id, user_id
from secure_django.postgresql import waits
from secure_django.sessions import RENEWED, STARTED
from secure_django.web.appearance import cookie_name
from secure_django.web.client import client_ip, client_network, network_of
from secure_django.web.error_pages import UnavailableError, error_page, too_large
from secure_django.web.languages import forget_language
from secure_django.web.links import absolute_url
from secure_django.web.proxies import ProxyCount
from secure_django.web.unavailable import refusal_page, unavailable_page

__all__ = [
    "KNOWN_METHODS",
    "BodySizeMiddleware",
    "RequestLogMiddleware",
    "RequestValidationMiddleware",
    "ResponseHeadersMiddleware",
    "SessionTimeoutMiddleware",
    "UnavailableMiddleware",
]

# Each view restricts them further. A view that forgets to would otherwise answer TRACE.
KNOWN_METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
SERVER_ERROR = 500
MOST_COOKIES = 20  # that a log-out deletes
RENEW_AFTER = timedelta(minutes=1)  # an active session is saved at most this often
# What a proxy may send: 32 hexadecimal digits from nginx, a UUID from others.
REQUEST_ID = re.compile(r"[0-9A-Za-z-]{16,64}")
HEALTH_PATHS = {"/health/live/", "/health/ready/"}

access = logging.getLogger("access")


class RequestLogMiddleware(MiddlewareMixin):
    """Give the request an id, a trusted proxy's or a new one, and log the response.

    The log contains neither path nor query string. Compare each request with
    TRUSTED_PROXY_COUNT, before a redirect that a wrong count causes.
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self.proxies = ProxyCount()

    def __call__(self, request: HttpRequest) -> Any:
        request_id.set(trusted_request_id(request) or uuid4().hex)
        started = time.monotonic()
        if request.path_info not in HEALTH_PATHS:
            self.proxies.count_request(request)
        response: Any = self.get_response(request)
        response.headers["X-Request-ID"] = request_id.get()
        seconds = time.monotonic() - started
        match = request.resolver_match
        fields = {
            "method": request.method,
            "status": response.status_code,
            "milliseconds": round(seconds * 1000),
            "route": match and match.view_name,
            "user": user_id(request),
        }
        access.info("request", extra={"fields": fields})
        return response


def trusted_request_id(request: HttpRequest) -> str:
    """Return the id that a trusted proxy gave the request, or an empty string."""
    if not settings.TRUSTED_PROXY_COUNT:
        return ""
    sent_id = request.headers.get("X-Request-ID", "")
    return sent_id if REQUEST_ID.fullmatch(sent_id) else ""


class ResponseHeadersMiddleware(MiddlewareMixin):
    """Refuse unknown methods, and add the headers that no other middleware adds."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if request.method in KNOWN_METHODS:
            return None
        return HttpResponseNotAllowed(KNOWN_METHODS)

    def process_response(
        self, request: HttpRequest, response: HttpResponse
    ) -> HttpResponse:
        if response.status_code == 405:
            fill_empty_refusal(request, response)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers["Reporting-Endpoints"] = 'csp="/csp-report/"'
        if response.cookies and "Cache-Control" not in response.headers:
            add_never_cache_headers(response)  # meant for one visitor
        response.headers.setdefault("Cache-Control", "private, no-cache")
        if getattr(request, "logged_out", False):
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
            delete_cookies(request, response)
        return response


def delete_cookies(request: HttpRequest, response: HttpResponse) -> None:
    """Delete the visitor's cookies, except a known device's and that of the colors.

    Clear-Site-Data could make no exception. The number is bounded, as proxies bound the
    headers of a response.
    """
    forget_language(request, response)  # its cookie may have a domain and a path
    device = getattr(settings, "DEVICE_COOKIE_NAME", "")
    kept = {device, cookie_name(), *response.cookies}
    others = [name for name in request.COOKIES if name not in kept]
    for name in others[:MOST_COOKIES]:
        with suppress(CookieError):  # a script can set names that no server may
            response.delete_cookie(name)


def fill_empty_refusal(request: HttpRequest, response: HttpResponse) -> None:
    """Add the error page to a response 405 without content."""
    if response.streaming or response.content:
        return
    response.content = error_page(request, name="405").content
    response.headers["Content-Length"] = str(len(response.content))


class RequestValidationMiddleware(MiddlewareMixin):
    """Refuse what no view can handle, before anything reads the query or the body."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if request.path_info in HEALTH_PATHS:
            # Load balancers can set neither Host nor the headers of proxies, and do not
            # log in.
            request.resolver_match = resolve(request.path_info)
            response: HttpResponse = request.resolver_match.func(request)
            return response
        check_encoding(request)
        client_network.set(network_of(client_ip(request)))
        if getattr(settings, "SITE_URL", "") or not settings.DEBUG:
            begin_links_with_site_url(request)
        if request.path_info.endswith("/staticfiles.json"):
            raise Http404  # lists every static file, and so the packages of the project
        return None


def check_encoding(request: HttpRequest) -> None:
    """Refuse each charset but UTF-8, and NUL in the path and in cookies.

    Django would decode forms with any codec of Python, and PostgreSQL raises an error
    at NUL, for example in a session's key. With a query, some charsets would fail
    before any middleware; secure_django/conf/wsgi.py replaces them.
    """
    charset = (request.content_params or {}).get("charset", "utf-8")
    request.encoding = "utf-8"
    texts = [request.path_info, *request.COOKIES.values()]
    has_nul = "\0" in "".join(texts)
    if has_nul or charset.lower() not in {"utf-8", "utf8"}:
        raise BadRequest("Charset, URL or cookie is malformed")


def begin_links_with_site_url(request: HttpRequest) -> None:
    """Let the absolute URLs of a request begin with that of the site.

    Whoever asks for an email to somebody chooses the Host header: its port, and which
    of ALLOWED_HOSTS. The header itself stays, since CSRF protection compares it.
    """

    def build_absolute_uri(location: str | None = None) -> str:
        if location is None:
            return iri_to_uri(absolute_url(request.get_full_path()))
        # As a text: that of reverse_lazy is none yet.
        return iri_to_uri(urljoin(absolute_url(request.path), str(location)))

    setattr(request, "build_absolute_uri", build_absolute_uri)  # noqa: B010


class BodySizeMiddleware(MiddlewareMixin):
    """Refuse a body over BODY_MAX_BYTES, once the visitor may open the page."""

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        size = request.META.get("CONTENT_LENGTH") or "0"
        if size.isdecimal() and int(size) > settings.BODY_MAX_BYTES:
            return too_large(request)
        return None


class SessionTimeoutMiddleware(MiddlewareMixin):
    """End a session that has timed out.

    It ends after SESSION_COOKIE_AGE seconds without a page, and after
    SESSION_ABSOLUTE_AGE in any case. The expiry is stored with the session and enforced
    by its store, so a request costs no extra query. Image requests do not renew a
    session, so they never write it. The store ends a session with a time ahead.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponse
    ) -> HttpResponse:
        session = request.session
        is_image = response.headers.get("Content-Type", "").startswith("image/")
        if is_image or not session.accessed:
            return response
        if not request.user.is_authenticated:
            return response
        if "Cache-Control" not in response.headers:
            add_never_cache_headers(response)
        now = timezone.now()
        session.setdefault(STARTED, now.isoformat())
        if is_renewal_due(session, now):
            started = datetime.fromisoformat(session[STARTED])
            idle = timedelta(seconds=settings.SESSION_COOKIE_AGE)
            session[RENEWED] = now.isoformat()
            end = min(now + idle, started + settings.SESSION_ABSOLUTE_AGE)
            session.set_expiry(end)
        return response


def is_renewal_due(session: SessionBase, now: datetime) -> bool:
    renewed = session.get(RENEWED)
    if not renewed:
        return True
    return now - datetime.fromisoformat(renewed) >= RENEW_AFTER


class UnavailableMiddleware(MiddlewareMixin):
    """Answer 503 while a service that a view needs is down, such as the database.

    Without the cache, for example, attempts cannot be counted. `handler500` answers
    what middleware raises. Log requests over a rate limit.
    """

    def process_request(self, request: HttpRequest) -> None:
        waits.were_given_up = False

    def process_response(
        self, request: HttpRequest, response: HttpResponse
    ) -> HttpResponse:
        if response.status_code == 429:
            log_event("excess_rate_limit_exceeded", request)
        if waits.were_given_up and response.status_code < SERVER_ERROR:
            # A view that has caught the error may take its change for stored: Django
            # rolls the transaction back without a further error.
            return refusal_page(request, UnavailableError())
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        if isinstance(exception, UnavailableError):
            return refusal_page(request, exception)
        if settings.DEBUG:
            return None  # a developer needs Django's page
        return unavailable_page(request, exception)
