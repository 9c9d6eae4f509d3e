from django.urls import path

from gallery import views

app_name = "gallery"

urlpatterns = [
    path("", views.index, name="index"),
    path("photos/upload/", views.upload, name="upload"),
    path("photos/mine/", views.mine, name="mine"),
    path("photos/<uuid:pk>/", views.photo, name="photo"),
    path("photos/<uuid:pk>/delete/", views.delete, name="delete"),
]
