from allauth.mfa.webauthn.views import login_webauthn
from django.urls import include, path

from accounts import views
from core.ratelimit import rate_limit
from users.urls import restrict_methods

# allauth limits POST alone, but each GET stores a challenge in a new session.
limited_login = rate_limit(30, seconds=60, per="ip", methods=("GET", "HEAD"))(login_webauthn)

urlpatterns = [
    path("notifications/", views.notifications, name="account_notifications"),
    path("delete/", views.delete_account, name="account_delete"),
    path("sessions/", views.SessionsView.as_view(), name="usersessions_list"),
    path("sessions/<int:pk>/end/", views.end_session, name="account_end_session"),
    path("2fa/webauthn/login/", limited_login, name="mfa_login_webauthn"),
    path("", include("allauth.urls")),
]
restrict_methods(urlpatterns)
