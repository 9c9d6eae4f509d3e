from django.contrib.auth.views import LoginView
from django.urls import include, path

from project import views

urlpatterns = [
    path("enter/", LoginView.as_view()),
    path("receipts/<uuid:number>/", views.receipt),
    path("boards/", include("boards.urls")),
    path("shop/", include("shop.urls")),
]
