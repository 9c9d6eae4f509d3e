"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from lessons.models import Lesson
from users.models import User

ROWS = """
# route                                      anonym owner  other    staff  reviewer
/lessons/                                      log-in 200    200      200    200
/lessons/create/                               log-in 200    200      200    200
/lessons/<pk>/                                 log-in 200    404      404    404
/lessons/<pk>/edit/                            log-in 200    404      404    404
/lessons/<pk>/delete/                          log-in 200    404      404    404
"""


def objects(owner: User) -> dict[str, Any]:
    made = Lesson.objects.create(owner=owner, title="Milk")
    return {
        "pk": made.pk,
    }
