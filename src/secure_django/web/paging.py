"""Pages of objects, newest first: each has `created_at`, and a UUID as its `id`.

A page begins at an object, not at a number, so it never counts or skips rows. The model
needs an index of `-created_at` and `id`.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

__all__ = ["SIZE", "Page", "get_neighbors", "get_page"]

SIZE = 24
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# When an object was created, in microseconds, and its id.
CURSOR = re.compile(r"([0-9]{1,17})-([0-9a-f]{32})")


class Page[M: Model](NamedTuple):
    objects: list[M]
    newer: str  # the cursors of the neighboring pages, empty without one
    older: str


def get_page[M: Model](objects: QuerySet[M], query: QueryDict) -> Page[M]:
    """Return the page `older` or `newer` than the cursor in the query.

    Without a valid cursor, return the first page.
    """
    older = CURSOR.fullmatch(query.get("older", ""))
    newer = CURSOR.fullmatch(query.get("newer", ""))
    cursor = older or newer
    rows = objects
    if cursor:
        created_at = EPOCH + timedelta(microseconds=int(cursor[1]))
        beside = older_than if older else newer_than
        rows = beside(rows, created_at, UUID(cursor[2]))
    page_and_next = list(rows[: SIZE + 1])
    if cursor and not page_and_next:
        return get_page(objects, QueryDict())
    page = page_and_next[:SIZE]
    has_more = len(page_and_next) > SIZE
    # The page that the visitor comes from exists. The next one does if objects remain.
    if cursor and not older:
        page.reverse()
        has_newer = has_more
        has_older = True
    else:
        has_newer = older is not None
        has_older = has_more
    return Page(
        page,
        newer=make_cursor(page[0]) if has_newer else "",
        older=make_cursor(page[-1]) if has_older else "",
    )


# The bound on the time is a condition of its own, so that the database begins at that
# place of its index.
def older_than[M: Model](
    objects: QuerySet[M], time: datetime, key: UUID
) -> QuerySet[M]:
    older = Q(created_at__lt=time) | Q(id__gt=key)
    return objects.filter(older, created_at__lte=time)


def newer_than[M: Model](
    objects: QuerySet[M], time: datetime, key: UUID
) -> QuerySet[M]:
    """Return the newer objects, the nearest first."""
    newer = Q(created_at__gt=time) | Q(id__lt=key)
    return objects.filter(newer, created_at__gte=time).reverse()


def get_neighbors(objects: QuerySet[Any], instance: Any) -> dict[str, UUID | None]:
    """Return the ids of the objects before and after one."""
    place = (instance.created_at, instance.id)
    newer_ids = newer_than(objects, *place).values_list("id", flat=True)
    older_ids = older_than(objects, *place).values_list("id", flat=True)
    return {"newer": newer_ids.first(), "older": older_ids.first()}


def make_cursor(instance: Any) -> str:
    microseconds = (instance.created_at - EPOCH) // timedelta(microseconds=1)
    return f"{microseconds}-{instance.id.hex}"
