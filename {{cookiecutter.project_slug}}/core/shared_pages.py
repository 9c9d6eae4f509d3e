"""What visitors share. Only content is stored: headers and cookies belong to each response."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from hashlib import sha256
from uuid import uuid4

from django.conf import settings
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import get_nonce
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import get_language

type View = Callable[[HttpRequest], HttpResponse]

GENERATION = "shared-pages"

logger = logging.getLogger(__name__)
retry_at = 0.0  # a cache that does not answer delays one page, not each


def get_shared[Content: (str, bytes)](name: str, make: Callable[[], Content | None]) -> Content | None:
    """Return what `make` makes, or made in the last SHARED_PAGE_SECONDS. It makes None of what must not be shared."""
    global retry_at
    if not settings.SHARED_PAGE_SECONDS or time.monotonic() < retry_at:
        return make()
    key = f"page:{get_language()}:{name}"
    try:
        # Before the queries of `make`: what is stored after the generation has changed is never served.
        found = cache.get_many([GENERATION, key])
        generation = found.get(GENERATION) or cache.get_or_set(GENERATION, uuid4().hex, None)
    except Exception:  # each cache driver raises exceptions of its own
        logger.exception("cache unavailable, pages are not shared")
        retry_at = time.monotonic() + settings.SHARED_PAGE_SECONDS
        return make()
    stored: tuple[str, Content | None] = found.get(key, ("", None))
    made_in, content = stored
    if made_in != generation:
        content = make()
        if content is not None:
            with suppress(Exception):
                cache.set(key, (generation, content), settings.SHARED_PAGE_SECONDS)
    return content


def shared_page(view: View) -> View:
    """Share the page among visitors without cookies. It must depend on nothing but the URL and the language."""

    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        # Sessions and messages need a cookie, and there are endless queries.
        if request.META.get("QUERY_STRING") or request.COOKIES:
            return view(request)
        own: list[HttpResponse] = []

        def make() -> bytes | None:
            own.append(view(request))
            return own[0].content if is_for_everyone(request, own[0]) else None

        content = get_shared(request.build_absolute_uri(), make)
        if content is None:
            return own[0]
        etag = f'"{sha256(content).hexdigest()}"'
        response = HttpResponse(content, headers={"Cache-Control": "private, no-cache", "ETag": etag})
        patch_vary_headers(response, ["Cookie"])
        return get_conditional_response(request, etag, response=response) or response

    return wrapped


def is_for_everyone(request: HttpRequest, page: HttpResponse) -> bool:
    """Return whether the page contains nothing of its visitor: no nonce, CSRF token, message or session."""
    messages = get_messages(request)
    used = get_nonce(request), request.META.get("CSRF_COOKIE_NEEDS_UPDATE"), page.cookies, len(messages)
    return page.status_code == 200 and not any(used) and request.session.is_empty() and "Cache-Control" not in page


def discard_shared_pages() -> None:
    """Make sure that no page made before this call is served after it."""
    if settings.SHARED_PAGE_SECONDS:
        cache.set(GENERATION, uuid4().hex, None)
