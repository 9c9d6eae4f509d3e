from django.conf import settings
from django.http import HttpRequest

from core.logging import request_id


def project(request: HttpRequest) -> dict[str, str]:
    """Add texts about the site and the request. The name `site_name` is taken: Django's log-in view sets it."""
    texts = {"project_name": settings.SITE_NAME, "security_contact": settings.SECURITY_CONTACT}
    return texts | {"request_id": request_id.get()}
