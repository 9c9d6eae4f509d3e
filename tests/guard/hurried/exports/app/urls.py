from django.urls import path

from exports import views

app_name = "exports"

urlpatterns = [
    path("", views.index, name="index"),
    path("members.csv", views.members, name="members"),
    path("my-photos.csv", views.my_photos, name="my_photos"),
    path("photos.csv", views.photos, name="photos"),
    path("statistics.csv", views.statistics, name="statistics"),
    path("create/", views.create, name="create"),
    path("download/", views.download, name="download"),
    path("<int:pk>/delete/", views.delete, name="delete"),
    path("<int:pk>/send/", views.send, name="send"),
]
