from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("enter/", LoginView.as_view()),
    path("notes/", include("notes.urls")),
]
