"""The URLs of the project that adopts photos."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls)]
if apps.is_installed("secure_django.photos"):
    urlpatterns.append(path("photos/", include("secure_django.photos.urls")))
