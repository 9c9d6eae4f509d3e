"""The URLs of every site, and the pages of its errors.

A project includes them below its own, so that a page of its own at `/` is the start
page.
"""

from functools import partial

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from secure_django.web import csp, error_pages, health, unavailable, views

__all__ = [
    "handler400",
    "handler403",
    "handler404",
    "handler429",
    "handler500",
    "urlpatterns",
]

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = partial(error_pages.error_page, name="404")
handler429 = partial(error_pages.error_page, name="429")  # allauth looks for it
handler500 = unavailable.server_error

favicon = RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")
password_change = RedirectView.as_view(pattern_name="account_change_password")

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("photos/", include("secure_django.photos.urls")),
    path("accounts/profile/", include("secure_django.profile.urls")),
    path("accounts/", include("secure_django.login.urls")),
    # The site's own page limits attempts and notifies the user.
    path("admin/password_change/", require_safe(password_change)),
    path("admin/", admin.site.urls),
    path("favicon.ico", login_not_required(require_safe(favicon))),
    path("health/live/", health.health_live, name="health_live"),
    path("health/ready/", health.health_ready, name="health_ready"),
    path("webhooks/", include("secure_django.mail.urls")),
    path("csp-report/", csp.csp_report, name="csp_report"),
    path(".well-known/security.txt", views.security_txt, name="security_txt"),
]
if apps.is_installed("secure_django.accounts"):
    accounts = path("accounts/", include("secure_django.accounts.urls"))
    urlpatterns.insert(0, accounts)  # above the log-in, whose pages it replaces
if apps.is_installed("secure_django.photos.cloudinary"):
    pages = include("secure_django.photos.cloudinary.urls")
    urlpatterns.append(path("webhooks/", pages))
