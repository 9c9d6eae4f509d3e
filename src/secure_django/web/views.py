"""Pages of the site itself."""

from datetime import timedelta

from django.apps import apps
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from secure_django.web.caching import microcache
from secure_django.web.links import absolute_url


@login_not_required
@require_safe
@microcache
def home(request: HttpRequest) -> HttpResponse:
    """Show the start page, unless a page of an app has the same path."""
    has_photos = apps.is_installed("secure_django.photos")
    context = {"has_photos": has_photos, "debug": settings.DEBUG}
    return render(request, "home.html", context)


@login_not_required
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Name the contact for vulnerability reports (RFC 9116).

    The expiry date moves on with each request.
    """
    expires = timezone.now() + timedelta(days=30)
    lines = [
        f"Contact: mailto:{settings.SECURITY_CONTACT}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        f"Canonical: {absolute_url(request.path)}",
        "Preferred-Languages: en",
    ]
    return HttpResponse(
        "\n".join(lines) + "\n", content_type="text/plain; charset=utf-8"
    )
