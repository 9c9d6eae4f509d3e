"""The rule that turns verdicts into a status, and who gives the verdicts.

Whoever learns of a verdict hands it to `Photo.record`, and so to `decide`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from django.conf import settings
from django.urls import reverse
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from uploads.models import Photo

MANUAL = "manual"


def decide(verdicts: Mapping[str, str]) -> str:
    """Returns the status of a photo with these results by kind: published only when every one is an approval.

    A person's decision overrides the machines. Whatever is neither clear nor still pending needs a person.
    """
    results = set(verdicts.values())
    if verdicts.get(MANUAL) in {"approved", "rejected"}:
        return verdicts[MANUAL]
    if "rejected" in results:
        return "rejected"
    if results == {"approved"}:
        return "approved"
    if results and results <= {"approved", "pending"}:
        return "pending"
    return "review"


class Moderator(Protocol):
    """Who looks at photos before they are shown."""

    # The verdicts that a new photo needs.
    kinds: tuple[str, ...]

    def next_due(self) -> datetime | None:
        """Returns when the worker is needed for a photo that is new, decided by a person or deleted; None: never."""

    def advance(self, photos: Iterable["Photo"]) -> None:
        """Does what is next for due photos, and saves when each is due again."""

    def url(self, photo: "Photo", variant: str) -> str:
        """Returns where a browser gets the picture; only asked for photos that the viewer may see."""


class StaffReview:
    """Photos wait in the administration until a person has looked at them."""

    kinds = (MANUAL,)

    def next_due(self) -> None:
        return None

    def advance(self, photos: Iterable["Photo"]) -> None:
        for photo in photos:
            photo.due_at = None
            photo.save(update_fields=["due_at"])

    def url(self, photo: "Photo", variant: str) -> str:
        return reverse("uploads:file", args=[photo.id, variant])


def moderator() -> Moderator:
    instance: Moderator = import_string(settings.PHOTO_MODERATOR)()
    return instance
