"""The error page 503: a service that the site needs is down, not the site.

Without it, visitors would be told that their request has an error.
"""

import errno
import logging
import re
import sqlite3
import sys
import time

from django.core.cache import cache
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import Error as DjangoDatabaseError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.log import log_response

from secure_django.logging import chain_of
from secure_django.web.error_pages import UnavailableError, discard_body, error_page

__all__ = ["is_connection_error"]

LOG_SECONDS = 60  # between two lines about one service, in each process
# PostgreSQL's classes of errors: no connection, a deadlock or conflict, resources such
# as a full disk, a lock, an operator or a timeout, its system; and a standby server.
SQLSTATE = re.compile(r"08|40|53|55P03|57|58|25006")
# SQLite has the same class for these and for errors of a query. All lack a name in
# django.db.
SQLITE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
# A disk that is full, over a quota, read-only or broken.
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
# Django answers these with a page of their own.
REFUSALS = (Http404, PermissionDenied, BadRequest, SuspiciousOperation)

logger = logging.getLogger(__name__)
quiet_until: dict[str, float] = {}  # of the monotonic clock, by service


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page for an error of the site, or for a service that is down.

    As `handler500`, it answers what middleware raises too: views are not alone in
    reading the session. Django calls it while it handles the error.
    """
    error = sys.exception()
    page = unavailable_page(request, error) if isinstance(error, Exception) else None
    if page is None:
        discard_body(request)
        page = error_page(request, name="500")
    return page


def unavailable_page(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Return the page, or None if the error has another cause.

    Log the service, but not each request: the log of requests has them.
    """
    if isinstance(error, REFUSALS):
        return None
    service = find_service(error)
    if not service:
        return None
    log_service(service, error)
    session = getattr(request, "session", None)
    if session is not None:
        # What looks at the session of each response must not load it: its store may be
        # what is down.
        session.accessed = False
    return quiet_page(request)


def refusal_page(request: HttpRequest, error: UnavailableError) -> HttpResponse:
    """Return the page for what the site cannot do now, though its services answer."""
    response = quiet_page(request)
    if error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def quiet_page(request: HttpRequest) -> HttpResponse:
    discard_body(request)
    response = error_page(request, name="503")
    # Otherwise Django would log an error for each request.
    log_response(
        "Unavailable: %s",
        request.path,
        response=response,
        request=request,
        level="info",
    )
    return response


def find_service(error: Exception) -> str:
    """Return the name of the service that an error says is down, or an empty string."""
    errors = chain_of(error)
    if any(map(is_of_database, errors)):
        return "database"
    if any(isinstance(it, OSError) and it.errno in DISK_ERRORS for it in errors):
        return "disk"
    try:
        # Each cache driver raises exceptions of its own.
        cache.get("reached")
    except Exception:
        return "cache"
    return ""


def is_of_database(error: BaseException) -> bool:
    """Return whether a database is down, or cannot do what it does otherwise."""
    if not isinstance(error, DjangoDatabaseError):
        return False
    cause = error.__cause__
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate:
        return bool(SQLSTATE.match(sqlstate))
    sqlite_code = getattr(cause, "sqlite_errorcode", None)
    if sqlite_code is not None:
        return sqlite_code & 0xFF in SQLITE_CODES
    return isinstance(error, OperationalError | InterfaceError)


def is_connection_error(error: BaseException) -> bool:
    """Return whether a database cannot be reached, so that no query was the cause."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CANTOPEN
    sqlstate = getattr(cause, "sqlstate", None) or "08"  # no answer at all
    is_operational = isinstance(error, OperationalError | InterfaceError)
    return is_operational and sqlstate[:2] in {"08", "28", "3D", "57"}


def log_service(service: str, error: Exception) -> None:
    now = time.monotonic()
    if now < quiet_until.get(service, 0.0):
        return
    quiet_until[service] = now + LOG_SECONDS
    logger.error("%s unavailable: visitors get the page 503", service, exc_info=error)
