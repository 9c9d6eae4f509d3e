"""The language that a user has chosen, on pages and in emails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language, override

__all__ = ["in_language_of"]

MIDDLEWARE = "django.middleware.locale.LocaleMiddleware"


def languages() -> list[tuple[str, str]]:
    """Return the languages to choose from, none if the site has one for all."""
    choices = list(settings.LANGUAGES)
    return choices if MIDDLEWARE in settings.MIDDLEWARE and len(choices) > 1 else []


def language_of(user: Any) -> str:
    """Return the code of the language that a user has chosen, or an empty text."""
    language = str(getattr(user, "language", ""))
    return language if language in dict(languages()) else ""


@contextmanager
def in_language_of(user: Any) -> Iterator[None]:
    """Write to a user: in the language that they have chosen, or else the present one.

    For jobs too, where the present one is LANGUAGE_CODE.
    """
    with override(language_of(user) or get_language()):
        yield


def remember_language(request: HttpRequest, response: HttpResponse, user: Any) -> None:
    """Let LocaleMiddleware read the user's language, as Django's set_language does.

    Without a chosen one, a cookie of whoever used the browser before is deleted.
    """
    language = language_of(user)
    if not language:
        forget_language(request, response)
        return
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )


def forget_language(request: HttpRequest, response: HttpResponse) -> None:
    """Leave the language to the browser, if it has sent a cookie with another."""
    if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
        return
    response.delete_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )
