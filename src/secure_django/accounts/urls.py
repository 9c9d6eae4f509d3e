"""The pages of this app, and those of allauth that it needs.

They are chosen by name, so that no release of allauth adds one.
"""

from typing import Any

from allauth import urls
from allauth.mfa.webauthn.views import login_webauthn
from django.urls import include, path

from secure_django.accounts import views
from secure_django.login.devices import keep_browser_known
from secure_django.login.urls import restrict_methods
from secure_django.ratelimit import rate_limit

NAMES = {
    "account_email",
    "account_email_verification_sent",
    "account_reauthenticate",
    "account_signup",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_authenticate",
    "mfa_deactivate_totp",
    "mfa_download_recovery_codes",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_index",
    "mfa_list_webauthn",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
}

# allauth limits POST alone, but each GET stores a challenge in a new session.
limit_challenges = rate_limit(120, seconds=60, per="ip", methods=("GET", "HEAD"))
# Each of these pages changes the second factors, and sends an email. In a loop, they
# would delay the emails of others.
OF_FACTORS = {
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_generate_recovery_codes",
    "mfa_add_webauthn",
    "mfa_remove_webauthn",
}


def select_pages(patterns: list[Any]) -> list[Any]:
    """Return the pages in NAMES, in the groups that allauth puts them in."""
    groups = [pattern for pattern in patterns if hasattr(pattern, "url_patterns")]
    pages = [pattern for pattern in patterns if getattr(pattern, "name", None) in NAMES]
    return [*filter(None, map(select_group, groups)), *map(wrap_page, pages)]


def select_group(group: Any) -> Any:
    """Return the group with its pages in NAMES, or None if it has none of them."""
    pages = select_pages(group.url_patterns)
    return path(str(group.pattern), include(pages)) if pages else None


def wrap_page(pattern: Any) -> Any:
    """Limit changes of second factors, which make devices unknown."""
    if pattern.name in OF_FACTORS:
        limited = rate_limit(20, seconds=3600)(pattern.callback)
        pattern.callback = keep_browser_known(limited)
    return pattern


urlpatterns = [
    path("notifications/", views.notifications, name="account_notifications"),
    path("delete/", views.delete_account, name="account_delete"),
    path(
        "sessions/",
        keep_browser_known(views.SessionsView.as_view()),
        name="usersessions_list",
    ),
    path("sessions/<int:pk>/end/", views.end_session, name="account_end_session"),
    path(
        "2fa/webauthn/login/",
        limit_challenges(login_webauthn),
        name="mfa_login_webauthn",
    ),
    *select_pages(urls.urlpatterns),
]
restrict_methods(urlpatterns)
