"""How many requests the guard sends to each page, as whom and by which method."""

from functools import cache
from typing import Any

from django.urls import Resolver404, resolve

from secure_django.guard.access import VIEWS
from secure_django.guard.record import Asked, present_record

NO_PAGE = "no page"
ROUTES_BY_PATTERN: dict[str, str] = {
    view.pattern: route for route, view in VIEWS.items()
}


def note_request(world: Any, user: Any, url: str, method: str) -> None:
    """Count a request to a page."""
    route = route_of(url.partition("?")[0])
    # Not the path itself: it may have a token.
    page = route if route in VIEWS else NO_PAGE
    asked = Asked(page, world.name_of(user), method.upper())
    present_record().asked[asked] += 1


@cache
def route_of(path: str) -> str:
    """Return the route of a path as the table writes it, or the path itself."""
    try:
        pattern: str = resolve(path).route
    except Resolver404:
        return path
    return ROUTES_BY_PATTERN.get(pattern, path)
