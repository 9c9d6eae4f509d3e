"""The colors that a person has chosen for a browser: light, dark, or as the device."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

APPEARANCES = ("light", "dark")
SECONDS = 365 * 24 * 3600


def cookie_name() -> str:
    return "__Host-appearance" if settings.SESSION_COOKIE_SECURE else "appearance"


def appearance_of(request: HttpRequest) -> str:
    """Return one of `APPEARANCES`, or an empty text for that of the device."""
    chosen = request.COOKIES.get(cookie_name(), "")
    return chosen if chosen in APPEARANCES else ""


def remember_appearance(response: HttpResponse, chosen: str) -> None:
    """Keep one of `APPEARANCES` for a year. Any other text leaves it to the device."""
    if chosen not in APPEARANCES:
        response.delete_cookie(cookie_name())
        return
    response.set_cookie(
        cookie_name(),
        chosen,
        max_age=SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
