"""Photos wait in the administration until a person has looked at them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.urls import reverse

from uploads.moderation import MANUAL

if TYPE_CHECKING:
    from uploads.models import Photo


class StaffReview:
    kinds = (MANUAL,)

    def next_due(self) -> None:
        return None

    def advance(self, photos: Iterable["Photo"]) -> None:
        for photo in photos:
            photo.due_at = None
            photo.save(update_fields=["due_at"])

    def url(self, photo: "Photo", variant: str) -> str:
        return reverse("uploads:file", args=[photo.id, variant])
