"""The pages of allauth that every project has.

Some other pages let users log in with an email that is not theirs.
"""

from typing import Any

from allauth.account import urls
from django.views.decorators.http import require_http_methods

NAMES = [
    "login",
    "logout",
    "inactive",
    "change_password",
    "set_password",
    "reset_password",
    "reset_password_done",
]
NAMES += ["reset_password_from_key", "reset_password_from_key_done"]

urlpatterns = [
    pattern
    for pattern in urls.urlpatterns
    if pattern.name.removeprefix("account_") in NAMES
]


def restrict_methods(patterns: list[Any]) -> None:
    """Refuse all methods but those of a form, even to views of packages.

    Django's form views handle PUT like POST.
    """
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            restrict_methods(pattern.url_patterns)
        else:
            pattern.callback = require_http_methods(["GET", "HEAD", "POST"])(
                pattern.callback
            )


restrict_methods(urlpatterns)
