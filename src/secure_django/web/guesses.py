"""Limits of wrong passwords in a project with a user model and a log-in of its own.

    AUTHENTICATION_BACKENDS = [
        "secure_django.web.guesses.GuessLimitBackend",
        "django.contrib.auth.backends.ModelBackend",
    ]
    MIDDLEWARE += ["secure_django.web.guesses.GuessLimitMiddleware"]

Django asks the first backend first, for each password that a log-in passes on: the
admin, the project's own, and allauth, which passes none on after five wrong ones. A
project with secure_django.login has other limits, which know its devices.
"""

import time
import unicodedata
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext

from secure_django.logging import log_event
from secure_django.web.client import client_ip, network_of

__all__ = ["GuessLimitBackend", "GuessLimitMiddleware"]

WINDOW_SECONDS = 5 * 60
MOST_OF_ACCOUNT = 10
MOST_OF_NETWORK = 100  # an office has one IP address
MIDDLEWARE = "secure_django.web.guesses.GuessLimitMiddleware"
SALT = "secure_django.web.guesses"


class GuessLimitBackend:
    """Refuse log-ins to an account, or from a network, after too many guesses.

    It has no users: without `get_user`, Django keeps none of them in its name.
    """

    def __init__(self) -> None:
        if not hasattr(settings, "TRUSTED_PROXY_COUNT"):
            raise ImproperlyConfigured(
                "GuessLimitBackend needs TRUSTED_PROXY_COUNT in the settings: the"
                " number of proxies before the site, such as 0."
            )
        if MIDDLEWARE not in settings.MIDDLEWARE:
            raise ImproperlyConfigured(f'Add "{MIDDLEWARE}" to MIDDLEWARE.')

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Raise PermissionDenied over a limit: Django then asks no other backend."""
        refuse_guesses(request, credentials)

    async def aauthenticate(
        self, request: HttpRequest | None, **credentials: Any
    ) -> None:
        """Do the same for views that are coroutines."""
        await sync_to_async(refuse_guesses)(request, credentials)


class GuessLimitMiddleware(MiddlewareMixin):
    """Answer 429 where the backend has refused a log-in."""

    def process_response(
        self, request: HttpRequest, response: HttpResponse
    ) -> HttpResponse:
        if not getattr(request, "has_too_many_guesses", False):
            return response
        text = gettext("Too many attempts. Try again in a few minutes.")
        headers = {"Retry-After": str(seconds_left()), "Cache-Control": "no-store"}
        return HttpResponse(
            text,
            status=429,
            content_type="text/plain; charset=utf-8",
            headers=headers,
        )


@receiver(user_logged_in)
def forget_guesses(
    user: AbstractBaseUser, request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Let the account begin anew. Its network does not, which may guess others.

    A view may check the password without its request, as the client of tests does.
    """
    names = [key_of("account", normalized(user.get_username()))]
    guessed = getattr(request, "guessed_account", None)
    if guessed:
        names.append(guessed)
    cache.delete_many(names)


def refuse_guesses(request: HttpRequest | None, credentials: dict[str, Any]) -> None:
    """Count an attempt, and refuse it over a limit.

    It is counted before its password is checked, so that none runs beside.
    """
    is_refused = False
    name = account_of(credentials)
    if name:
        account = key_of("account", name)
        is_refused = count(account) > MOST_OF_ACCOUNT
        if request is not None:
            setattr(request, "guessed_account", account)  # noqa: B010
    if request is not None:
        network = key_of("network", network_of(client_ip(request)))
        is_refused |= count(network) > MOST_OF_NETWORK
    if not is_refused:
        return
    if request is not None:
        setattr(request, "has_too_many_guesses", True)  # noqa: B010
    log_event("authn_login_lock", request)
    raise PermissionDenied


def account_of(credentials: dict[str, Any]) -> str:
    """Return what names the account, in one spelling, or nothing: no password."""
    names = ("username", "email", get_user_model().USERNAME_FIELD)
    named = [str(credentials[name]) for name in names if credentials.get(name)]
    return normalized(named[0]) if named else ""


def normalized(name: str) -> str:
    """Return a name in the spelling that is the same for each way to write it."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def key_of(kind: str, text: str) -> str:
    """Return the cache's key in this window. A copy of the cache names nobody."""
    window = int(time.time() // WINDOW_SECONDS)
    digest = salted_hmac(SALT, text, algorithm="sha256").hexdigest()
    return f"guesses:{kind}:{window}:{digest}"


def count(key: str) -> int:
    """Count one more, and return the number."""
    cache.add(key, 0, WINDOW_SECONDS)
    try:
        number = cache.incr(key)
    except ValueError:  # it has just expired
        cache.set(key, 1, WINDOW_SECONDS)
        return 1
    cache.touch(key, WINDOW_SECONDS)  # some caches forget it with their own timeout
    return number


def seconds_left() -> int:
    return WINDOW_SECONDS - int(time.time() % WINDOW_SECONDS)
