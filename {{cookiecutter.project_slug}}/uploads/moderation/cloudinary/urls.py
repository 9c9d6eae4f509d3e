from django.urls import path

from uploads.moderation.cloudinary.views import webhook

urlpatterns = [path("cloudinary/", webhook, name="cloudinary_webhook")]
