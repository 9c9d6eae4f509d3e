"""Detect a TRUSTED_PROXY_COUNT that does not match the proxies before the site."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone

from secure_django.models import LastRun

# Each proxy appends an entry to X-Forwarded-For. A client can add entries to its own
# requests, but remove none. So one request with no more entries than the count shows
# that the count is not too small, even if other clients forge the header. A request
# with fewer entries shows that the count is too large, or that the request bypassed a
# proxy.
MORE_LIMIT = 50  # requests in a row with more entries, until a process reports them
FEWER_LIMIT = 10  # requests with fewer entries, until a process reports them
HOUR = 3600  # seconds
DAY = 86400  # seconds
# The names of the rows of LastRun that `manage.py status` reads.
TOO_SMALL = "TRUSTED_PROXY_COUNT={} is too small"
TOO_LARGE = "TRUSTED_PROXY_COUNT={} is too large"
EXPLANATIONS = {
    TOO_SMALL: (
        f"or every visitor forges X-Forwarded-For: {MORE_LIMIT} requests in a row had"
        " more entries. If it is too small, all visitors share the limits of a proxy."
    ),
    TOO_LARGE: (
        f"or requests bypass a proxy: {FEWER_LIMIT} had fewer entries,"
        " and were refused."
    ),
}

logger = logging.getLogger(__name__)


def count_entries(request: HttpRequest) -> int:
    header = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return len(header.split(",")) if header else 0


class ProxyCount:
    """Compare the requests of a process with TRUSTED_PROXY_COUNT."""

    def __init__(self) -> None:
        self.more_in_a_row = 0  # requests with more entries than the count
        self.fewer = 0  # requests with fewer entries than the count
        self.fits_until = 0.0
        self.quiet_until = dict.fromkeys(EXPLANATIONS, 0.0)

    def count_request(self, request: HttpRequest) -> None:
        now = time.monotonic()
        surplus = count_entries(request) - settings.TRUSTED_PROXY_COUNT
        if surplus > 0:
            self.more_in_a_row += 1
        else:
            self.more_in_a_row = 0
            # For a day: at a quiet time, a client that forges it may be the only
            # visitor.
            self.fits_until = now + DAY
            self.withdraw_finding(TOO_SMALL)
        if self.more_in_a_row >= MORE_LIMIT and now > self.fits_until:
            self.report_finding(TOO_SMALL, now)
        if surplus < 0:
            self.fewer += 1
        if self.fewer == FEWER_LIMIT:
            self.fewer = 0
            self.report_finding(TOO_LARGE, now)

    def report_finding(self, finding: str, now: float) -> None:
        """Log a finding, and store it for `manage.py status`, once an hour."""
        if now < self.quiet_until[finding]:
            return
        self.quiet_until[finding] = now + HOUR
        name = finding.format(settings.TRUSTED_PROXY_COUNT)
        logger.error("%s, %s", name, EXPLANATIONS[finding])
        with logged_database_errors():
            LastRun.objects.update_or_create(name=name, defaults={"at": timezone.now()})

    def withdraw_finding(self, finding: str) -> None:
        if self.quiet_until[finding]:
            self.quiet_until[finding] = 0.0
            name = finding.format(settings.TRUSTED_PROXY_COUNT)
            with logged_database_errors():
                LastRun.objects.filter(name=name).delete()


@contextmanager
def logged_database_errors() -> Iterator[None]:
    """Log an error of the database, so that no request fails for it."""
    try:
        yield
    except DatabaseError:
        logger.exception("the finding about TRUSTED_PROXY_COUNT was not stored")


def present_finding() -> str:
    """Return what the requests of the last day have shown, or an empty string."""
    count = settings.TRUSTED_PROXY_COUNT
    names = [finding.format(count) for finding in EXPLANATIONS]
    day_ago = timezone.now() - timedelta(seconds=DAY)
    rows = LastRun.objects.filter(name__in=names, at__gt=day_ago)
    return ", ".join(rows.order_by("at").values_list("name", flat=True))
