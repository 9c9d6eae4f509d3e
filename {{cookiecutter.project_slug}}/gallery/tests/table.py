"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from secure_django.testing.photos import create_photo

from gallery.models import Picture
from users.models import User

ROWS = """
/                                            200    200    200      200    200    # all: title: it is public once the photo is approved
/photos/upload/                              log-in 200    200      200    200    # all: repeats: UPLOADS_PER_HOUR limits photos
/photos/mine/                                log-in 200    200      200    200
/photos/<pk>/                                404    200    404      404    200    # all: title: it is public once the photo is approved # reviewer: image, reason: reviewers decide about it
/photos/<pk>/delete/                         log-in 200    404      404    404
/admin/gallery/picture/<object_id>/          log-in log-in log-in   away   away
/admin/gallery/picture/*                     log-in log-in log-in   403    403
"""


def objects(owner: User) -> dict[str, Any]:
    """Make a picture whose photo waits for review."""
    purpose = Picture._meta.get_field("photo").purpose
    photo = create_photo(owner, purpose)
    made = Picture.objects.create(owner=owner, title="Teal", photo=photo)
    return {"pk": made.pk, "object_id": made.pk}
