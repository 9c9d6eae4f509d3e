from django.urls import path

from contact import views

app_name = "contact"

urlpatterns = [
    path("", views.contact, name="form"),
    path("thanks/", views.thanks, name="thanks"),
    path("inbox/", views.inbox, name="inbox"),
    path("<int:pk>/attachment/", views.attachment, name="attachment"),
    path("<int:pk>/answer/", views.answer, name="answer"),
    path("<int:pk>/close/", views.close, name="close"),
    path("<int:pk>/delete/", views.delete, name="delete"),
]
