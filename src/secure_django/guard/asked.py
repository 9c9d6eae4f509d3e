"""How many requests the guard sends to each page, as whom and by which method."""

from functools import cache
from typing import Any

from django.urls import Resolver404, resolve

from secure_django.guard.access import PATTERN_PARAMETER, shorten_parameter
from secure_django.guard.record import Asked, present_record


def note_request(world: Any, user: Any, url: str, method: str) -> None:
    """Count a request to a page."""
    route = route_of(url.partition("?")[0])
    asked = Asked(route, world.name_of(user), method.upper())
    present_record().asked[asked] += 1


@cache
def route_of(path: str) -> str:
    """Return the route of a path as the table writes it, or the path itself."""
    try:
        pattern = resolve(path).route
    except Resolver404:
        return path
    route = PATTERN_PARAMETER.sub(shorten_parameter, pattern)
    return f"/{route.replace('^', '').rstrip('$')}"
