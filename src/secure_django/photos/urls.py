from django.urls import path

from secure_django.photos.views import file

app_name = "uploads"

urlpatterns = [path("<uuid:photo_id>/<variant>/", file, name="file")]
