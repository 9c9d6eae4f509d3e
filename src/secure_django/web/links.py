"""The site's own URL, for links that no request asks for, and how long links work."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

__all__ = ["absolute_url", "link_term"]

LONGEST_TERM = 90  # days, of a link with a token
IP_ADDRESS = re.compile(r"[\d.]+|\[.+\]")


def absolute_url(path: str = "") -> str:
    """Return the URL of a path of this site, for an email or a webhook.

    It begins with SITE_URL. Without it, with the DOMAIN_NAME of the settings, or with
    the first name of ALLOWED_HOSTS if the site does not answer for this domain: a copy
    of the site, such as staging, then does not name the original.
    """
    url = getattr(settings, "SITE_URL", "") or f"https://{default_host()}"
    return f"{url}{path}"


def link_term(days: float) -> timedelta:
    """Return how long a link with a token works. It is 90 days at most.

    Whoever finds the link in an inbox, a history or a log opens what it opens. Raise
    ValueError for a longer term.
    """
    if not 0 < days <= LONGEST_TERM:
        raise ValueError(f"A link with a token ends within {LONGEST_TERM} days.")
    return timedelta(days=days)


def own_host() -> str:
    """Return the host of the site's URL, with the port if there is one."""
    return urlsplit(absolute_url()).netloc


def default_host() -> str:
    domain = settings.DOMAIN_NAME
    hosts = settings.ALLOWED_HOSTS
    if not hosts or validate_host(domain, hosts):
        return str(domain)
    names = [host for host in hosts if not IP_ADDRESS.fullmatch(host)]
    return str((names or hosts)[0]).lstrip(".")
