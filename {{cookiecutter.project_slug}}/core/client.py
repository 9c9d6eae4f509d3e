"""The IP address and the network of the client that sends a request."""

import re
from contextvars import ContextVar
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest

# An IP address from a proxy.
WITH_BRACKETS_OR_PORT = re.compile(r"\[([^]]+)\](?::\d+)?|([\d.]+):\d+")

# The network of the request's client: one IP address, or with IPv6 a /64, all of which
# one client owns.
client_network: ContextVar[str] = ContextVar("client_network", default="")


def client_ip(request: HttpRequest) -> str:
    """Return the IP address that the outermost of TRUSTED_PROXY_COUNT proxies saw.

    Raise BadRequest without one. Each proxy appends the IP address it saw to
    X-Forwarded-For. Only that many entries from the right are trustworthy; the client
    can set all entries further left. A proxy's own IP address is never returned: one
    client could use up the rate limits of all clients.
    """
    count = settings.TRUSTED_PROXY_COUNT
    # Without REMOTE_ADDR, the request comes from this process itself.
    direct = [request.META.get("REMOTE_ADDR", "127.0.0.1")]
    entries = (
        request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if count else direct
    )
    try:
        entry = entries[-count or -1].strip()
        found = WITH_BRACKETS_OR_PORT.fullmatch(entry)
        ip = ip_address(found[1] or found[2] if found else entry)
    except (IndexError, ValueError):
        raise BadRequest("X-Forwarded-For does not fit TRUSTED_PROXY_COUNT") from None
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def network_of(ip: str) -> str:
    address = ip_address(ip)
    prefix = 64 if address.version == 6 else 32
    return str(ip_network((address, prefix), strict=False))
