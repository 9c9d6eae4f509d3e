from typing import Any

from notes.models import Note

ROWS = """
/notes/                  log-in 200  200  200
/notes/<pk>/             log-in 200  404  404
/notes/<pk>/delete/      log-in away 404  404
"""


def objects(owner: Any) -> dict[str, Any]:
    return {"pk": Note.objects.create(author=owner, title="Milk", text="Oats").pk}
