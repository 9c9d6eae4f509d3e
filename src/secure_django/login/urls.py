"""The pages of allauth that every project has.

Some other pages let users log in with an email that is not theirs.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account import urls
from allauth.core import ratelimit
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from secure_django.login.devices import device_of_form, keep_browser_known
from secure_django.ratelimit import rate_limit

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


def limit_unknown_devices(
    view: Callable[..., HttpResponse],
) -> Callable[..., HttpResponse]:
    """Count the log-ins of unknown devices by their address.

    A known device has no such limit, which others at its address could use up.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse | None = None
        if request.method == "POST" and not device_of_form(request):
            response = ratelimit.consume_or_429(request, action="unknown_device")
        return response or view(request, *args, **kwargs)

    return wrapper


by_name = {pattern.name: pattern for pattern in urlpatterns}
for name in ("account_change_password", "account_set_password"):
    by_name[name].callback = keep_browser_known(by_name[name].callback)
log_in = by_name["account_login"]
log_in.callback = limit_unknown_devices(log_in.callback)
# allauth counts POST alone, but each GET tries a token.
reset = by_name["account_reset_password_from_key"]
limit_tokens = rate_limit(120, seconds=60, per="ip", methods=("GET", "HEAD"))
reset.callback = limit_tokens(reset.callback)
restrict_methods(urlpatterns)
