"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from tasks.models import Project, Task
from users.models import User

ROWS = """
/api/tasks/                                  401     200     200     200     200
/api/tasks/log-in/                           400     400     400     400     400
/api/tasks/bulk/                             400     400     400     400     400
/api/tasks/me/                               401     200     200     200     200
/api/tasks/status/                           400     400     400     400     400
/api/tasks/<pk>/                             401     200     404     404     404
/api/tasks/projects/<project_pk>/            401     200     200     200     200
"""


def objects(owner: User) -> dict[str, Any]:
    project = Project.objects.create(owner=owner, name="House")
    task = Task.objects.create(owner=owner, project=project, title="Paint")
    return {"pk": task.pk, "project_pk": project.pk}
