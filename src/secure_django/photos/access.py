"""Who gets which response from each URL here: see secure_django/guard/access.py."""

from typing import Any

from secure_django.testing.photos import create_photo
from secure_django.user import User

ROWS = """
/photos/<photo_id>/<variant>/                           404    200    404    404    200    # reviewer: image: reviewers decide about it
/admin/<app_label>/                                     log-in log-in log-in 404    200
/admin/secure_django_photos/photo/                      log-in log-in log-in 403    200
/admin/secure_django_photos/photo/<object_id>/          log-in log-in log-in away   away
/admin/secure_django_photos/photo/<object_id>/change/   log-in log-in log-in 403    200
/admin/secure_django_photos/photo/<object_id>/history/  log-in log-in log-in 403    200
/admin/secure_django_photos/photo/*                     log-in log-in log-in 403    403
"""

# The code reads these texts, so the tests write no marks into them.
KEPT = {"Photo.purpose", "Verdict.kind"}


def objects(owner: User) -> dict[str, Any]:
    """Make a photo that waits for review."""
    photo = create_photo(owner)
    return {
        "photo_id": photo.pk,
        "variant": "display",
        "object_id": photo.pk,
        "app_label": "secure_django_photos",
    }
