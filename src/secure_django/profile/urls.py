from django.urls import path

from secure_django.profile import views

urlpatterns = [
    path("", views.profile, name="account_profile"),
    path("appearance/", views.appearance, name="account_appearance"),
    path("emails/", views.resume_emails, name="account_resume_emails"),
    path("export/", views.export, name="account_export"),
]
