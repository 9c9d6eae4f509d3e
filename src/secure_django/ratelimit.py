from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from secure_django.extras import importing

with importing("secure_django.ratelimit", extra="site"):
    from allauth.decorators import rate_limit as allauth_rate_limit

__all__ = ["rate_limit"]

type View = Callable[..., HttpResponse]


def rate_limit(
    amount: int,
    *,
    seconds: int,
    per: str = "user",
    methods: Collection[str] = ("POST", "PUT", "PATCH", "DELETE"),
) -> Callable[[View], View]:
    """Answer 429 to more than `amount` requests in `seconds`.

    Requests are counted per "user" or per "ip" (with IPv6, per /64 network), by
    allauth, in the cache that all processes share. While the cache is down, the
    response is 503.
    """
    counted_methods = set(methods)
    if "GET" in counted_methods:
        counted_methods.add("HEAD")  # a view does the same work for it

    def decorate(view: View) -> View:
        name = f"{view.__module__}.{view.__qualname__}"
        limits = {name: f"{amount}/{seconds}s/{per}"}
        limit = allauth_rate_limit(action=name, config=limits, limit_get=True)
        limited_view = limit(view)

        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            called_view = limited_view if request.method in counted_methods else view
            response: HttpResponse = called_view(request, *args, **kwargs)
            if response.status_code == 429:
                response.headers.setdefault("Retry-After", str(seconds))
            return response

        return wrapper

    return decorate
