from django.urls import include, path

from accounts import views

urlpatterns = [
    path("notifications/", views.notifications, name="account_notifications"),
    path("delete/", views.delete_account, name="account_delete"),
    path("sessions/", views.SessionsView.as_view(), name="usersessions_list"),
    path("sessions/<int:pk>/end/", views.end_session, name="account_end_session"),
    path("", include("allauth.urls")),
]
