"""Pages of photos, newest first.

A page begins at a photo, not at a number, so it never counts or skips rows.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q
from django.http import QueryDict

from uploads.models import Photo, PhotoQuerySet

SIZE = 24
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# When a photo was created, in microseconds, and its id.
CURSOR = re.compile(r"([0-9]{1,17})-([0-9a-f]{32})")


class Page(NamedTuple):
    photos: list[Photo]
    newer: str  # the cursors of the neighboring pages, empty without one
    older: str


def get_page(photos: PhotoQuerySet, query: QueryDict) -> Page:
    """Return the page `older` or `newer` than the cursor in the query.

    Without a valid cursor, return the first page.
    """
    older, newer = (
        CURSOR.fullmatch(query.get(name, "")) for name in ("older", "newer")
    )
    rows = photos.defer("original_name")  # each would be decrypted
    if cursor := older or newer:
        time = EPOCH + timedelta(microseconds=int(cursor[1]))
        beside = older_than if older else newer_than
        rows = beside(rows, time, UUID(cursor[2]))
    found = list(rows[: SIZE + 1])
    if cursor and not found:
        return get_page(photos, QueryDict())
    more, found = len(found) > SIZE, found[:SIZE]
    if cursor and not older:
        found.reverse()
    # Behind is the page that the visitor comes from; ahead is one if photos are left.
    return Page(
        found,
        newer=make_cursor(found[0]) if older or (newer and more) else "",
        older=make_cursor(found[-1]) if more or (newer and not older) else "",
    )


# The bound on the time is a condition of its own, so that the database begins there in
# its index.
def older_than(photos: PhotoQuerySet, time: datetime, key: UUID) -> PhotoQuerySet:
    return photos.filter(Q(created_at__lt=time) | Q(id__gt=key), created_at__lte=time)


def newer_than(photos: PhotoQuerySet, time: datetime, key: UUID) -> PhotoQuerySet:
    """Return them with the nearest first."""
    newer = Q(created_at__gt=time) | Q(id__lt=key)
    return photos.filter(newer, created_at__gte=time).reverse()


def get_neighbors(photos: PhotoQuerySet, photo: Photo) -> dict[str, UUID | None]:
    """Return the ids of the photos before and after one."""
    place = (photo.created_at, photo.id)
    return {
        "newer": newer_than(photos, *place).values_list("id", flat=True).first(),
        "older": older_than(photos, *place).values_list("id", flat=True).first(),
    }


def make_cursor(photo: Photo) -> str:
    return f"{(photo.created_at - EPOCH) // timedelta(microseconds=1)}-{photo.id.hex}"
