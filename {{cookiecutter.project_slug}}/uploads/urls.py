from django.urls import path

from uploads import views

app_name = "uploads"

urlpatterns = [
    path("", views.gallery, name="gallery"),
    path("photos/upload/", views.upload, name="upload"),
    path("photos/mine/", views.mine, name="mine"),
    path("photos/<uuid:photo_id>/", views.photo, name="photo"),
    path("photos/<uuid:photo_id>/delete/", views.delete, name="delete"),
    path("photos/<uuid:photo_id>/<variant>/", views.file, name="file"),
]
