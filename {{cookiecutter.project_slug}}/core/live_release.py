"""What deploy/release asks of the site."""

from django.conf import settings
from django.http import HttpRequest


def is_asked_for(request: HttpRequest) -> bool:
    """Return whether X-Release, if it is there, names this release.

    The answer does not name it, so nobody else learns the name.
    """
    name = settings.BASE_DIR.name
    return bool(request.headers.get("X-Release", name) == name)
