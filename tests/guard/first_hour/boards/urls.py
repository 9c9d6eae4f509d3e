from django.urls import path

from boards import views

urlpatterns = [
    path("", views.count_boards),
    path("<slug:slug>/", views.show_board),
    path("<slug:board_slug>/cards/<int:pk>/", views.show_card),
    path("<int:board_id>/cards/<int:card_id>/delete/", views.delete_card),
]
