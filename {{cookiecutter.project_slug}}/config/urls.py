"""The URLs of the site. Those of the package are in secure_django.urls."""

from django.urls import include, path

from secure_django.urls import (
    handler400,
    handler403,
    handler404,
    handler429,
    handler500,
)

__all__ = ["handler400", "handler403", "handler404", "handler429", "handler500"]

urlpatterns = [
    # `poe app` names new apps above this line.
    # % if cookiecutter.gallery
    path("", include("gallery.urls")),
    # % endif
    # The start page, unless an app above has a page at the same path; the log-in, the
    # admin, photos, health checks.
    path("", include("secure_django.urls")),
]
