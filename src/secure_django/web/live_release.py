"""The check by which deploy/release knows that the new release answers."""

from django.conf import settings
from django.http import HttpRequest


def is_asked_for(request: HttpRequest) -> bool:
    """Return whether the header X-Release, if present, names this release.

    The response does not contain the name, so nobody else learns it.
    """
    name = settings.BASE_DIR.name
    return bool(request.headers.get("X-Release", name) == name)
