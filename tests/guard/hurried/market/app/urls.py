from django.urls import path

from market import views

app_name = "market"

urlpatterns = [
    path("", views.search, name="search"),
    path("create/", views.create, name="create"),
    path("suggest/", views.suggest, name="suggest"),
    path("saved/", views.saved, name="saved"),
    path("saved/<int:search_pk>/", views.saved_detail, name="saved_detail"),
    path("saved/<int:search_pk>/delete/", views.saved_delete, name="saved_delete"),
    path("<int:pk>/", views.offer_detail, name="offer"),
    path("<int:pk>/edit/", views.edit, name="edit"),
]
