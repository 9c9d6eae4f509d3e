"""Detect a TRUSTED_PROXY_COUNT that does not match the proxies before the site."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address

from django.conf import settings
from django.db import Error
from django.http import HttpRequest
from django.utils import timezone

from secure_django.clock import CLOCK_DIFFERENCE
from secure_django.models import LastRun

# Each proxy appends an entry to X-Forwarded-For. A client can add entries to its own
# requests, but remove none. So one request with no more entries than the count shows
# that the count is not too small, even if other clients forge the header. A request
# with fewer entries shows that the count is too large, or that the request bypassed a
# proxy.
#
# With TRUSTED_PROXY_COUNT=0, SecurityMiddleware redirects what a proxy received over
# HTTPS to HTTPS, for ever: a browser shows no page and gives up after 20 requests. Both
# headers of such a request can be forged, but not its peer. A client on the internet
# has a public IP address, and most proxies have none, so few requests show a loop.
LOOP_LIMIT = 5  # requests of a loop in a row, until a process reports them
MORE_LIMIT = 50  # requests in a row with more entries, until a process reports them
FEWER_LIMIT = 10  # requests with fewer entries, until a process reports them
HOUR = 3600  # seconds
DAY = 86400  # seconds
# The beginnings of the names of the rows of LastRun that `manage.py status` reads.
TOO_SMALL = "TRUSTED_PROXY_COUNT={} is too small"
TOO_LARGE = "TRUSTED_PROXY_COUNT={} is too large"
IN_A_LOOP = (
    f"or every visitor forges X-Forwarded-Proto: {LOOP_LIMIT} requests in a row came"
    " from a proxy over HTTPS, and were redirected to HTTPS again. No page is shown."
)
WITH_MORE = (
    f"or every visitor forges X-Forwarded-For: {MORE_LIMIT} requests in a row had"
    " more entries. If it is too small, all visitors share the limits of a proxy."
)
WITH_FEWER = (
    f"or requests bypass a proxy: {FEWER_LIMIT} had fewer entries, and were refused."
)

logger = logging.getLogger(__name__)


def count_entries(request: HttpRequest) -> int:
    header = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return len(header.split(",")) if header else 0


def is_of_a_loop(request: HttpRequest) -> bool:
    """Return whether a proxy received the request over HTTPS, and the site trusts none.

    A client of a site without proxies can forge the header, but not a private peer.
    """
    if not settings.SECURE_SSL_REDIRECT:
        return False
    if settings.TRUSTED_PROXY_COUNT or request.is_secure():
        return False
    scheme = request.META.get("HTTP_X_FORWARDED_PROTO", "")
    peer = request.META.get("REMOTE_ADDR", "")
    return scheme == "https" and not is_public(peer)


def is_public(peer: str) -> bool:
    try:
        ip = ip_address(peer)
    except ValueError:
        return False  # a Unix socket
    return (getattr(ip, "ipv4_mapped", None) or ip).is_global


class ProxyCount:
    """Compare the requests of a process with TRUSTED_PROXY_COUNT."""

    def __init__(self) -> None:
        self.loop_in_a_row = 0  # requests of a loop
        self.more_in_a_row = 0  # requests with more entries than the count
        self.fewest_entries = 0  # of these
        self.fewer = 0  # requests with fewer entries than the count
        self.fits_until = 0.0
        self.quiet_until = {TOO_SMALL: 0.0, TOO_LARGE: 0.0}
        self.stored: set[str] = set()  # findings that `manage.py status` shows

    def count_request(self, request: HttpRequest) -> None:
        now = time.monotonic()
        entries = count_entries(request)
        surplus = entries - settings.TRUSTED_PROXY_COUNT
        is_loop = is_of_a_loop(request)
        self.loop_in_a_row = self.loop_in_a_row + 1 if is_loop else 0
        if surplus > 0 or is_loop:
            self.count_more(entries, now)
        else:
            self.more_in_a_row = 0
            # For a day: at a quiet time, a client that forges it may be the only
            # visitor.
            self.fits_until = now + DAY
            self.withdraw_finding(TOO_SMALL)
        if surplus < 0:
            self.fewer += 1
        if self.fewer == FEWER_LIMIT:
            self.fewer = 0
            self.report_finding(TOO_LARGE, "", WITH_FEWER, now)

    def count_more(self, entries: int, now: float) -> None:
        """Count a request that has passed more proxies than the site trusts."""
        self.more_in_a_row += 1
        if self.more_in_a_row == 1:
            self.fewest_entries = entries
        # Clients add entries, and proxies whose headers are incomplete have none.
        self.fewest_entries = max(1, min(self.fewest_entries, entries))
        fitting = f": {self.fewest_entries} fits the requests"
        if self.loop_in_a_row >= LOOP_LIMIT:
            self.report_finding(TOO_SMALL, fitting, IN_A_LOOP, now)
        elif self.more_in_a_row >= MORE_LIMIT and now > self.fits_until:
            self.report_finding(TOO_SMALL, fitting, WITH_MORE, now)

    def report_finding(
        self, finding: str, fitting: str, explanation: str, now: float
    ) -> None:
        """Log a finding, and store it for `manage.py status`, once an hour."""
        is_quiet = now < self.quiet_until[finding]
        if is_quiet and finding in self.stored:
            return
        beginning = finding.format(settings.TRUSTED_PROXY_COUNT)
        name = beginning + fitting
        if not is_quiet:
            self.quiet_until[finding] = now + HOUR
            logger.error("%s, %s", name, explanation)
        self.stored.add(finding)
        with logged_database_errors():
            LastRun.objects.filter(name__startswith=beginning).delete()
            LastRun.objects.update_or_create(name=name, defaults={"at": timezone.now()})

    def withdraw_finding(self, finding: str) -> None:
        if finding in self.stored:
            self.stored.remove(finding)
            beginning = finding.format(settings.TRUSTED_PROXY_COUNT)
            with logged_database_errors():
                LastRun.objects.filter(name__startswith=beginning).delete()


@contextmanager
def logged_database_errors() -> Iterator[None]:
    """Log an error of the database, so that no request fails for it."""
    try:
        yield
    except Error:
        logger.exception("the finding about TRUSTED_PROXY_COUNT was not stored")


def present_finding() -> str:
    """Return what the requests of the last day have shown, or an empty string."""
    beginning = f"TRUSTED_PROXY_COUNT={settings.TRUSTED_PROXY_COUNT} is"
    now = timezone.now()
    last_day = (now - timedelta(seconds=DAY), now + CLOCK_DIFFERENCE)
    rows = LastRun.objects.filter(name__startswith=beginning, at__range=last_day)
    return ", ".join(rows.order_by("at").values_list("name", flat=True))
