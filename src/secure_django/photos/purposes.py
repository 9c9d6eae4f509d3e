"""What photos are for. A photo's purpose decides who sees it once it is approved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Protocol

from django.db.models import Q, QuerySet
from django.urls import reverse

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from secure_django.user import User

__all__ = ["Purpose", "everyone", "logged_in", "register"]

type VisibleTo = Callable[[Any, User | AnonymousUser], bool]


class AnyPhoto(Protocol):
    """What a purpose reads of a photo. The model's module imports this one."""

    pk: Any
    purpose: str


def everyone(object: Any, user: User | AnonymousUser) -> bool:
    return True


def logged_in(object: Any, user: User | AnonymousUser) -> bool:
    return user.is_authenticated


def no_one(object: Any, user: User | AnonymousUser) -> bool:
    return False


class Purpose:
    """The purpose of photos that belong to no object; each has a page at `route`."""

    is_moderated = True
    stays_with_object = False

    def __init__(
        self,
        name: str,
        label: Any,
        *,
        route: str = "",
        visible_to: VisibleTo = everyone,
    ) -> None:
        self.name = name
        self.label = label
        self.route = route
        self.visible_to = visible_to

    @property
    def is_public(self) -> bool:
        """Return whether everyone may see approved photos: caches may keep them."""
        return self.visible_to is everyone

    def objects(self, photo: AnyPhoto) -> Sequence[Any] | QuerySet[Any]:
        """Return the objects that refer to the photo, which is hidden without one."""
        return [photo]

    def get_url(self, photo: AnyPhoto) -> str:
        """Return the URL of the page that shows the photo, empty without one."""
        return reverse(self.route, args=[photo.pk]) if self.route else ""

    def unused(self) -> Q:
        """Return the condition of photos that no object refers to."""
        return Q(pk__in=())


PURPOSES: dict[str, Purpose] = {}


def register[P: Purpose](purpose: P) -> P:
    PURPOSES[purpose.name] = purpose
    return purpose


@lru_cache(maxsize=1)
def unused_photos(purposes: tuple[Purpose, ...]) -> Q:
    """Return the condition of photos of these purposes that no object refers to.

    It says nothing of other purposes. To build it takes a part of each query's time.
    """
    conditions = [Q(purpose=purpose.name) & purpose.unused() for purpose in purposes]
    return reduce(or_, conditions, Q(pk__in=()))


def purpose_of(photo: AnyPhoto) -> Purpose:
    """Return the photo's purpose.

    If its model or field was renamed or removed, owner and reviewers alone see it.
    """
    name = photo.purpose
    return PURPOSES.get(name) or Purpose(name, name, visible_to=no_one)
