from django.urls import path

from shop import views

urlpatterns = [
    path("orders/<uuid:number>/", views.OrderView.as_view()),
    path("packed/<int:pk>/", views.PackedView.as_view()),
    path("books/<int:pk>/", views.BookView.as_view()),
]
