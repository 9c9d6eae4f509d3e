"""Notice a TRUSTED_PROXY_COUNT that does not fit the proxies before the site."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone

from core.models import LastRun

# Each proxy appends an entry to X-Forwarded-For. A client can add entries to its own
# requests, and take none away. So one request with as few entries as the count shows
# that the count is not too small, however many others forge the header; and one with
# fewer shows that it is too large, or that the request came around a proxy.
MORE, FEWER = 50, 10  # requests of a process, until it says so
HOUR, DAY = 3600, 86400  # seconds
# By the name of the row of LastRun that `manage.py status` reads.
FINDINGS = {
    "TRUSTED_PROXY_COUNT={} is too small": (
        f"or every visitor forges X-Forwarded-For: {MORE} requests in a row had more"
        " entries. The site takes a proxy for its visitors, who share rate limits."
    ),
    "TRUSTED_PROXY_COUNT={} is too large": (
        f"or requests reach the site around a proxy: {FEWER} had fewer entries, and"
        " were refused."
    ),
}
TOO_SMALL, TOO_LARGE = FINDINGS

logger = logging.getLogger(__name__)


def count_entries(request: HttpRequest) -> int:
    header = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return len(header.split(",")) if header else 0


class ProxyCount:
    """What the requests of a process say about TRUSTED_PROXY_COUNT."""

    def __init__(self) -> None:
        self.more = 0  # in a row
        self.fewer = 0
        self.fits_until = 0.0
        self.quiet_until = dict.fromkeys(FINDINGS, 0.0)

    def see(self, request: HttpRequest) -> None:
        now = time.monotonic()
        surplus = count_entries(request) - settings.TRUSTED_PROXY_COUNT
        if surplus > 0:
            self.more += 1
        else:
            self.more = 0
            # At a quiet time, who forges the header may be the only visitor.
            self.fits_until = now + DAY
            self.take_back(TOO_SMALL)
        if self.more >= MORE and now > self.fits_until:
            self.tell(TOO_SMALL, now)
        if surplus < 0:
            self.fewer += 1
        if self.fewer == FEWER:
            self.fewer = 0
            self.tell(TOO_LARGE, now)

    def tell(self, finding: str, now: float) -> None:
        """Log a finding, and let `manage.py status` know of it, once an hour."""
        if now < self.quiet_until[finding]:
            return
        self.quiet_until[finding] = now + HOUR
        name = finding.format(settings.TRUSTED_PROXY_COUNT)
        logger.error("%s, %s", name, FINDINGS[finding])
        with reporting():
            LastRun.objects.update_or_create(name=name, defaults={"at": timezone.now()})

    def take_back(self, finding: str) -> None:
        if self.quiet_until[finding]:
            self.quiet_until[finding] = 0.0
            name = finding.format(settings.TRUSTED_PROXY_COUNT)
            with reporting():
                LastRun.objects.filter(name=name).delete()


@contextmanager
def reporting() -> Iterator[None]:
    """Log that the database is away. No request fails for it."""
    try:
        yield
    except DatabaseError:
        logger.exception("the finding about TRUSTED_PROXY_COUNT was not stored")


def present_finding() -> str:
    """Return what the requests of the last day have shown, or an empty string."""
    names = [it.format(settings.TRUSTED_PROXY_COUNT) for it in FINDINGS]
    day_ago = timezone.now() - timedelta(seconds=DAY)
    found = LastRun.objects.filter(name__in=names, at__gt=day_ago)
    return ", ".join(found.order_by("at").values_list("name", flat=True))
