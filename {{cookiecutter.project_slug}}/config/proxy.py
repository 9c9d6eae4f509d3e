"""Who is asking, also behind proxies."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str:
    """Returns the address that the outermost of TRUSTED_PROXY_COUNT proxies saw.

    Each proxy appends what it saw to X-Forwarded-For, so only that many entries from the right are
    the proxies' word; everything further left is the client's own and may be a lie.
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
