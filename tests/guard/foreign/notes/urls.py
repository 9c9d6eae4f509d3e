from django.urls import path

from notes import views

urlpatterns = [
    path("", views.index),
    path("<int:pk>/", views.show),
    path("<int:pk>/delete/", views.delete),
]
