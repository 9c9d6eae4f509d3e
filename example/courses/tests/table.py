"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from courses.models import Course
from users.models import User

ROWS = """
# route                                      anonym owner  other    staff  reviewer
/courses/catalog/                            200    200    200      200    200    # all: title, start, price: the catalog is public
/courses/catalog/<pk>/                       200    200    200      200    200    # all: title, start, price, level, text: the catalog is public
/courses/                                      log-in 200    200      200    200              # reader, editor: title, start, price, level: the owner has chosen them
/courses/create/                               log-in 200    200      200    200
/courses/<pk>/                                 log-in 200    404      404    404    200    200 # reader, editor: title, start, price, level, text: the owner has chosen them
/courses/<pk>/edit/                            log-in 200    404      404    404    404    200 # editor: title, text, writes: the owner lets editors change it
/courses/<pk>/delete/                          log-in 200    404      404    404
/admin/courses/course/<object_id>/               log-in log-in log-in   away   away
/admin/courses/course/*                          log-in log-in log-in   403    403
"""


# A user has one role in a course.
KEPT = {"Member"}


def objects(owner: User, reader: User, editor: User) -> dict[str, Any]:
    made = Course.objects.create(owner=owner, title="Milk")
    made.members.create(user=reader, role="reader")
    made.members.create(user=editor, role="editor")
    return {
        "pk": made.pk,
        "object_id": made.pk,
    }
