"""The URLs of the site."""

from django.contrib import admin
from django.urls import include, path

from core import views

handler403 = views.permission_denied

urlpatterns = [
    path("", include("uploads.urls")),
    # % if cookiecutter.auth_app
    path("accounts/", include("accounts.urls")),
    # % endif
    # % if cookiecutter.__django_login
    path("accounts/", include("django.contrib.auth.urls")),
    # % endif
    # % if cookiecutter.cloudinary_moderation
    path("webhooks/", include("uploads.moderation.cloudinary.urls")),
    # % endif
    path("admin/", admin.site.urls),
    path("health/live/", views.health_live, name="health_live"),
    path("health/ready/", views.health_ready, name="health_ready"),
    path(".well-known/security.txt", views.security_txt, name="security_txt"),
]
