from desk import views
from django.urls import path

urlpatterns = [
    path("", views.index),
    path("add/", views.add),
    path("add-approved/", views.add_approved),
    path("export/", views.export),
    path("api/", views.api),
    path("open-api/", views.open_api),
    path("of/<str:email>/", views.of_user),
    path("<int:pk>/comment/", views.comment),
    path("<int:pk>/close/", views.comment_and_close),
    path("<int:pk>/public/", views.public),
    path("<int:pk>/public-with-author/", views.public_with_author),
    path("<int:pk>/broken/", views.broken),
    path("<int:pk>/new/", views.helped),
]
