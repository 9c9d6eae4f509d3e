from django.urls import path

from profiles import views

app_name = "profiles"

urlpatterns = [
    path("", views.members, name="members"),
    path("edit/", views.edit, name="edit"),
    path("preview/", views.preview, name="preview"),
    path("<str:nickname>/", views.profile, name="profile"),
]
