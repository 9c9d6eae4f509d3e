"""Pages that a proxy may keep for one second: microcaching."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import get_nonce
from django.utils.cache import patch_vary_headers

__all__ = ["microcache"]

type View = Callable[..., HttpResponse]


def microcache(view: View) -> View:
    """Let visitors without cookies share the page for a second.

    The page must depend on nothing but the URL and the language. Browsers ask again
    each time, so a photo that was taken down is gone from all pages after two seconds.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page = view(request, *args, **kwargs)
        if is_for_everyone(request, page):
            page.headers["Cache-Control"] = "max-age=0, s-maxage=1"
            patch_vary_headers(page, ["Cookie"])
        return page

    return wrapped


def is_for_everyone(request: HttpRequest, page: HttpResponse) -> bool:
    """Return whether the page has no nonce, CSRF token, message or session."""
    sent = (
        request.COOKIES,
        request.META.get("QUERY_STRING"),
        request.headers.get("Authorization"),
    )
    used = (
        get_nonce(request),
        request.META.get("CSRF_COOKIE_NEEDS_UPDATE"),
        page.cookies,
        len(get_messages(request)),
    )
    is_plain = (
        request.method in {"GET", "HEAD"}
        and page.status_code == 200
        and "Cache-Control" not in page
    )
    # A TemplateResponse is rendered later, so what it uses is not known yet.
    return (
        type(page) is HttpResponse
        and is_plain
        and not any(sent + used)
        and request.session.is_empty()
    )
