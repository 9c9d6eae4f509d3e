"""The site's own URL, for links that no request asks for."""

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

__all__ = ["absolute_url"]

IP_ADDRESS = re.compile(r"[\d.]+|\[.+\]")


def absolute_url(path: str = "") -> str:
    """Return the URL of a path of this site, for an email or a webhook.

    It begins with SITE_URL. Without it, with the DOMAIN_NAME of the settings, or with
    the first name of ALLOWED_HOSTS if the site does not answer for this domain: a copy
    of the site, such as staging, then does not name the original.
    """
    url = getattr(settings, "SITE_URL", "") or f"https://{default_host()}"
    return f"{url}{path}"


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
