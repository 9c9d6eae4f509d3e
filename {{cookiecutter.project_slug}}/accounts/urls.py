"""The pages of this app, and those of allauth that it needs.

They are chosen by name, so that no release of allauth adds one.
"""

from typing import Any

from allauth import urls
from allauth.mfa.webauthn.views import login_webauthn
from django.urls import include, path

from accounts import views
from core.ratelimit import rate_limit
from users.urls import restrict_methods

NAMES = {
    f"account_{name}"
    for name in ("signup", "email", "email_verification_sent", "reauthenticate")
}
NAMES |= {
    f"mfa_{name}"
    for name in (
        "index",
        "authenticate",
        "reauthenticate",
        "activate_totp",
        "deactivate_totp",
    )
}
NAMES |= {"usersessions_list"} | {
    f"mfa_{verb}_recovery_codes" for verb in ("view", "generate", "download")
}
NAMES |= {
    f"mfa_{verb}_webauthn"
    for verb in ("list", "add", "edit", "remove", "reauthenticate")
}

# allauth limits POST alone, but each GET stores a challenge in a new session.
limited_login = rate_limit(120, seconds=60, per="ip", methods=("GET", "HEAD"))(
    login_webauthn
)
# Each sends an email: in a loop, they would delay those of others.
LIMITED = {
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_generate_recovery_codes",
    "mfa_add_webauthn",
    "mfa_remove_webauthn",
}


def named(patterns: list[Any]) -> list[Any]:
    groups = [
        path(str(it.pattern), include(named(it.url_patterns)))
        for it in patterns
        if hasattr(it, "url_patterns")
    ]
    return groups + [
        limited(it) for it in patterns if getattr(it, "name", None) in NAMES
    ]


def limited(pattern: Any) -> Any:
    if pattern.name in LIMITED:
        pattern.callback = rate_limit(20, seconds=3600)(pattern.callback)
    return pattern


urlpatterns = [
    path("notifications/", views.notifications, name="account_notifications"),
    path("delete/", views.delete_account, name="account_delete"),
    path("sessions/<int:pk>/end/", views.end_session, name="account_end_session"),
    path("2fa/webauthn/login/", limited_login, name="mfa_login_webauthn"),
    *named(urls.urlpatterns),
]
restrict_methods(urlpatterns)
