"""The recipe of an API with Django Ninja, and attacks on the result.

It is applied as written to an app with a photo.
"""

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.recipes import Install, Installed, Recipe, marks, replace

pytestmark = marks("api", "api-requests", "api-notes")

RECIPES = [Recipe("api"), Recipe("api-requests"), Recipe("api-notes")]


def add_cover(project: Installed) -> None:
    """Give the app the cover of docs/your-first-app.md."""
    notes = project.folder / "notes"
    old = "from core.encryption import EncryptedTextField\n"
    replace(
        notes / "models.py",
        old,
        f"{old}from uploads.fields import PhotoField, everyone\n",
    )
    old = '    created_at = models.DateTimeField(_("created"), auto_now_add=True)\n'
    new = '    cover = PhotoField(_("cover"), blank=True, visible_to=everyone)\n'
    replace(notes / "models.py", old, new + old)
    replace(
        notes / "forms.py",
        '        fields = ("title", "text")\n',
        '        fields = ("title", "text", "cover")\n',
    )
    project.run("python", "manage.py", "makemigrations", "--verbosity", "0", "notes")
    project.run("python", "manage.py", "migrate", "--verbosity", "0")


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_api_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install
) -> None:
    project = install(answers, "notes")
    add_cover(project)
    with project.following("api", *RECIPES):
        pass
