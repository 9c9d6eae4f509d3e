"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from secure_django.testing.photos import create_photo

from gallery.apps import GALLERY
from users.models import User

ROWS = """
/                                            200    200    200      200    200
/photos/upload/                              log-in 200    200      200    200
/photos/mine/                                log-in 200    200      200    200
/photos/<photo_id>/                          404    200    404      404    200    # reviewer: title, image: reviewers decide about it
/photos/<photo_id>/delete/                   log-in away   404      404    404
"""


def objects(owner: User) -> dict[str, Any]:
    """Make a photo that waits for review."""
    photo = create_photo(owner, GALLERY)
    return {"photo_id": photo.pk}
