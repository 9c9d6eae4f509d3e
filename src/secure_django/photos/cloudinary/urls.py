from django.urls import path

from secure_django.photos.cloudinary.views import webhook

urlpatterns = [path("cloudinary/", webhook, name="cloudinary_webhook")]
