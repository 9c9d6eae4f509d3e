"""The pages of no object: who looks nothing up answers there as everywhere."""

from typing import Any
from uuid import UUID

from secure_django.guard.access import PARAMETER
from secure_django.guard.world import NOBODY, World


def lacks_value(world: World, route: str) -> bool:
    """Return whether a parameter of a page has no value: that is a finding."""
    return not world.values_on(route).keys() >= {*PARAMETER.findall(route)}


def url_of_nobody(world: World, route: str, *names: str) -> str:
    """Return the URL of a page with values of no object in some parameters, or all."""
    values = world.values_on(route)
    chosen_names = names or PARAMETER.findall(route)
    return world.url(
        route, **{name: of_nobody(values.get(name)) for name in chosen_names}
    )


def of_nobody(value: Any) -> Any:
    """Return a value of the same kind that no object has."""
    return UUID(int=NOBODY) if isinstance(value, UUID) else NOBODY
