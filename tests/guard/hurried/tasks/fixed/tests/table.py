"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from tasks.models import ApiKey, Project, Task
from users.models import User

ROWS = """
/api/tasks/                                  401     200     200     200     200  # all: tokenless, is_done: the app on phones sends a key
/api/tasks/log-in/                           400     400     400     400     400  # all: tokenless: the app on phones sends a key
/api/tasks/bulk/                             400     400     400     400     400  # all: tokenless: the app on phones sends a key
/api/tasks/me/                               401     200     200     200     200  # all: tokenless: the app on phones sends a key
/api/tasks/status/                           log-in  400     400     400     400
/api/tasks/<pk>/                             401     200     404     404     404  # all: tokenless, is_done: the app on phones sends a key
/api/tasks/projects/<project_pk>/            401     200     404     404     404  # all: tokenless: the app on phones sends a key
"""


# Users put their own tasks into projects.
SAME_USER = {"Task.project"}


def objects(owner: User) -> dict[str, Any]:
    project = Project.objects.create(owner=owner, name="House")
    task = Task.objects.create(owner=owner, project=project, title="Paint")
    ApiKey.objects.create(user=owner)
    return {"pk": task.pk, "project_pk": project.pk}
