"""The IP address of a client, also behind proxies."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str:
    """Return the IP address that the outermost of TRUSTED_PROXY_COUNT proxies saw.

    Each proxy appends the IP address it saw to X-Forwarded-For. Only that many entries from the right
    are trustworthy; the client can set all entries further left.
    """
    direct: str = request.META.get("REMOTE_ADDR", "")
    count = settings.TRUSTED_PROXY_COUNT
    hops: list[str] = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if not 0 < count <= len(hops):
        return direct
    try:
        return str(ip_address(hops[-count]))
    except ValueError:
        return direct
