"""The IP address and the network of the client that sends a request."""

import re
from contextvars import ContextVar
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest

# An IP address as some proxies write it: [2001:db8::1]:443 or 192.0.2.1:443.
WITH_BRACKETS_OR_PORT = re.compile(r"\[([^]]+)\](?::\d+)?|([\d.]+):\d+")
IPV4_PREFIX = 32
IPV6_PREFIX = 64  # one client owns a whole /64 network

# RequestValidationMiddleware sets it for each request.
client_network: ContextVar[str] = ContextVar("client_network", default="")


def client_ip(request: HttpRequest) -> str:
    """Return the IP address that the outermost of TRUSTED_PROXY_COUNT proxies saw.

    Raise BadRequest without one. Each proxy appends the IP address it saw to
    X-Forwarded-For. Only the last TRUSTED_PROXY_COUNT entries are trustworthy: the
    client can set all others. A proxy's own IP address is never returned: all clients
    would share its rate limits.
    """
    try:
        entry = trusted_entry(request)
        match = WITH_BRACKETS_OR_PORT.fullmatch(entry)
        if match:
            entry = match[1] or match[2]
        ip = ip_address(entry)
    except (IndexError, ValueError):
        raise BadRequest("X-Forwarded-For does not fit TRUSTED_PROXY_COUNT") from None
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def trusted_entry(request: HttpRequest) -> str:
    """Return the entry of the outermost trusted proxy, or raise IndexError."""
    count = settings.TRUSTED_PROXY_COUNT
    if not count:
        # A request without REMOTE_ADDR comes from this process itself.
        return str(request.META.get("REMOTE_ADDR", "127.0.0.1")).strip()
    entries: list[str] = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return entries[-count].strip()


def network_of(ip: str) -> str:
    """Return the network that counts as one client: an IPv4 address or an IPv6 /64."""
    prefix = IPV6_PREFIX if ip_address(ip).version == 6 else IPV4_PREFIX
    return str(ip_network((ip, prefix), strict=False))
