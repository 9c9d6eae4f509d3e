from django.urls import path

from courses import catalog, views

app_name = "courses"

urlpatterns = [
    path("catalog/", catalog.catalog, name="catalog"),
    path("catalog/<int:pk>/", catalog.course, name="course"),
    path("", views.index, name="index"),
    path("create/", views.create, name="create"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/edit/", views.edit, name="edit"),
    path("<int:pk>/delete/", views.delete, name="delete"),
]
