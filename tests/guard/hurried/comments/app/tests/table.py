"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from comments.models import Comment
from secure_django.testing.photos import create_photo
from users.models import User

ROWS = """
/comments/add/                               log-in  400     400     400     400
/comments/photo/<photo_id>/                  200     200     200     200     200
/comments/<pk>/edit/                         log-in  200     404     404     404
/comments/<pk>/delete/                       log-in  away    404     404     404
/admin/comments/comment/                     log-in  log-in  log-in  403     403
/admin/comments/comment/add/                 log-in  log-in  log-in  403     403
/admin/comments/comment/<object_id>/delete/  log-in  log-in  log-in  403     403
/admin/comments/comment/<object_id>/change/  log-in  log-in  log-in  403     403
"""


def objects(owner: User) -> dict[str, Any]:
    photo = create_photo(owner)
    comment = Comment.objects.create(photo=photo, author=owner, text="Nice")
    return {"photo_id": photo.pk, "pk": comment.pk, "object_id": comment.pk}
