from django.urls import path

from albums import views

app_name = "albums"

urlpatterns = [
    path("", views.index, name="index"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/share/", views.share, name="share"),
    path("<int:pk>/unshare/", views.unshare, name="unshare"),
    path("<int:pk>/photos/<int:entry_pk>/remove/", views.remove, name="remove"),
    path("<int:pk>/photos/<int:entry_pk>/caption/", views.caption, name="caption"),
    path("shared/<str:token>/", views.shared, name="shared"),
    path("shared/<str:token>/greet/", views.greet, name="greet"),
]
