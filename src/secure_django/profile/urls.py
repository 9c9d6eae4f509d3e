from django.urls import path

from secure_django.profile import views

urlpatterns = [
    path("", views.profile, name="account_profile"),
    path("export/", views.export, name="account_export"),
]
