from django.conf import settings
from django.http import HttpRequest


def project(request: HttpRequest) -> dict[str, str]:
    """Add the site's name and contact. The name `site_name` is taken: Django's log-in view sets it to the host."""
    return {"project_name": settings.SITE_NAME, "security_contact": settings.SECURITY_CONTACT}
