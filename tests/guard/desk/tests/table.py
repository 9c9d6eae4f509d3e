from typing import Any

from desk.models import Comment, Folder, Task

ROWS = """
/desk/                          log-in 200  200  200  200
/desk/add/                      log-in 200  200  200  200
/desk/add-approved/             log-in 200  200  200  200
/desk/export/                   log-in 200  200  200  200
/desk/api/                      log-in 200  200  200  200
/desk/open-api/                 log-in 200  200  200  200
/desk/of/<email>/               log-in 200  404  404  404
/desk/<pk>/comment/             log-in away away away away # all: uses: everybody may comment
/desk/<pk>/close/               log-in away away away away # all: uses: everybody may comment
/desk/<pk>/public/              log-in 200  404  404  404
/desk/<pk>/public-with-author/  log-in 200  404  404  404
/desk/<pk>/broken/              log-in 200  404  404  404
"""  # noqa: E501


def objects(owner: Any, helper: Any) -> dict[str, Any]:
    folder = Folder.objects.create(owner=owner, name="Home")
    task = Task.objects.create(
        author=owner, helper=helper, folder=folder, title="Wash the dishes"
    )
    Comment.objects.create(author=owner, task=task, text="Soon")
    return {"pk": task.pk, "email": owner.email}
