"""The cover of docs/your-first-app.md, for notes that `poe app` has made."""

from pathlib import Path

from tests.support.recipes import Installed, replace


def add_cover(project: Installed) -> None:
    """Give the app the cover of docs/your-first-app.md."""
    write_cover(project.folder)
    project.run("python", "manage.py", "makemigrations", "--verbosity", "0", "notes")
    project.run("python", "manage.py", "migrate", "--verbosity", "0")


def write_cover(folder: Path) -> None:
    """Write the lines of the cover, without its migration."""
    notes = folder / "notes"
    old = "from secure_django.encryption import EncryptedTextField\n"
    replace(
        notes / "models.py",
        old,
        f"{old}from secure_django.photos.fields import PhotoField, everyone\n",
    )
    old = '    created_at = models.DateTimeField(_("created"), auto_now_add=True)\n'
    new = '    cover = PhotoField(_("cover"), blank=True, visible_to=everyone)\n'
    replace(notes / "models.py", old, new + old)
    replace(
        notes / "forms.py",
        '            "text",\n',
        '            "text",\n            "cover",\n',
    )
