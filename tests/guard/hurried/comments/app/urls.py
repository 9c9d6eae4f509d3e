from django.urls import path

from comments import views

app_name = "comments"

urlpatterns = [
    path("add/", views.add, name="add"),
    path("photo/<uuid:photo_id>/", views.photo_comments, name="photo"),
    path("<int:pk>/edit/", views.edit, name="edit"),
    path("<int:pk>/delete/", views.delete, name="delete"),
]
