from django.conf import settings
from django.http import HttpRequest

from secure_django.logging import request_id
from secure_django.web.appearance import appearance_of


def project(request: HttpRequest) -> dict[str, str]:
    """Add texts about the site and the request.

    The name `site_name` is taken: Django's log-in view sets it.
    """
    return {
        "project_name": settings.SITE_NAME,
        "project_description": settings.SITE_DESCRIPTION,
        "security_contact": settings.SECURITY_CONTACT,
        "request_id": request_id.get(),
        "appearance": appearance_of(request),
    }
