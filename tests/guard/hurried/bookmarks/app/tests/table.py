"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from bookmarks.models import Bookmark
from users.models import User

ROWS = """
/bookmarks/                                  log-in  200     200     200     200
/bookmarks/preview/                          200     200     200     200     200
/bookmarks/image/                            404     404     404     404     404
/bookmarks/go/                               away    away    away    away    away
/bookmarks/delete/                           log-in  away    away    away    away
/bookmarks/import/                           log-in  away    away    away    away
/bookmarks/<pk>/refresh/                     log-in  away    away    away    away
/bookmarks/users/<user_id>/                  200     200     200     200     200
"""


def objects(owner: User) -> dict[str, Any]:
    bookmark = Bookmark.objects.create(owner=owner, url="/", title="Start")
    return {"pk": bookmark.pk, "user_id": owner.pk}
