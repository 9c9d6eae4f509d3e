"""Where passkeys work: browsers bind them to the name of a site, over HTTPS.

The name localhost needs no HTTPS. An IP address is no name.
"""

from typing import Any
from urllib.parse import urlsplit

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.template import Context

from secure_django.web.links import IP_ADDRESS, absolute_url

register = template.Library()


def has_passkeys(url: str) -> bool:
    """Return whether browsers let pages at this URL use passkeys."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if IP_ADDRESS.fullmatch(host) or ":" in host:
        return False
    is_local = host == "localhost" or host.endswith(".localhost")
    return is_local or parts.scheme == "https"


def works_at_present(request: HttpRequest) -> bool:
    """Return whether passkeys work at the address that the browser shows."""
    return has_passkeys(f"{request.scheme}://{request.get_host()}")


def address_with_passkeys(request: HttpRequest) -> str:
    """Return the URL of the same page where passkeys work, or nothing."""
    url = absolute_url(request.get_full_path())
    if settings.DEBUG:
        port = request.get_port()
        url = f"http://localhost:{port}{request.get_full_path()}"
    return url if has_passkeys(url) else ""


@register.inclusion_tag("mfa/webauthn/_address.html", takes_context=True)
def passkey_address(context: Context) -> dict[str, Any]:
    """Say at which address passkeys work, unless they work at the present one."""
    request: HttpRequest = context["request"]
    if works_at_present(request):
        return {}
    url = address_with_passkeys(request)
    return {
        "present": request.get_host(),
        "url": url,
        "host": urlsplit(url).netloc,
    }


@register.simple_tag(takes_context=True)
def passkeys_work(context: Context) -> bool:
    """Return whether passkeys work at the address of this page."""
    return works_at_present(context["request"])
