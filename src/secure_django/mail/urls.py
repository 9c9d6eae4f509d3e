from django.urls import path

from secure_django.mail.views import webhook

urlpatterns = [path("email/", webhook, name="email_webhook")]
