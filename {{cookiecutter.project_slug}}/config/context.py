"""What every template may use."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, str]:
    """Not `site_name`: Django's log-in page sets that to the host."""
    return {"project_name": settings.SITE_NAME}
