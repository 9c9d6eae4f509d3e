"""The URLs of the site."""

from functools import partial

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from core import csp, error_pages, health, views

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = partial(error_pages.error_page, name="404")
handler429 = partial(error_pages.error_page, name="429")  # allauth looks for it
handler500 = partial(error_pages.error_page, name="500")

favicon = RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")
password_change = RedirectView.as_view(pattern_name="account_change_password")

urlpatterns = [
    # `poe app` names new apps above this line.
    # % if cookiecutter.gallery
    path("", include("gallery.urls")),
    # % endif
    # The start page, unless an app above has a page at the same path.
    path("", views.home, name="home"),
    path("photos/", include("uploads.urls")),
    # % if cookiecutter.auth_app
    path("accounts/", include("accounts.urls")),
    # % endif
    path("accounts/", include("users.urls")),
    # % if cookiecutter.cloudinary_moderation
    path("webhooks/", include("uploads.moderation.cloudinary.urls")),
    # % endif
    # The site's own page limits attempts and notifies the user.
    path("admin/password_change/", require_safe(password_change)),
    path("admin/", admin.site.urls),
    path("favicon.ico", login_not_required(require_safe(favicon))),
    path("health/live/", health.health_live, name="health_live"),
    path("health/ready/", health.health_ready, name="health_ready"),
    path("csp-report/", csp.csp_report, name="csp_report"),
    path(".well-known/security.txt", views.security_txt, name="security_txt"),
]
