from django.urls import path

from bookmarks import views

app_name = "bookmarks"

urlpatterns = [
    path("", views.index, name="index"),
    path("preview/", views.preview, name="preview"),
    path("image/", views.image, name="image"),
    path("go/", views.go, name="go"),
    path("delete/", views.delete, name="delete"),
    path("import/", views.import_file, name="import"),
    path("<int:pk>/refresh/", views.refresh, name="refresh"),
    path("users/<int:user_id>/", views.user_bookmarks, name="user"),
]
