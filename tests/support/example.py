"""Build the product of docs/tutorial.md, and take its pictures.

    uv run python -m tests.support.example example
    uv run python -m tests.support.example example --pictures

The folder must not exist. The project inside is that of the page, without what
installing and running leave, and without secrets. The pictures go to docs/images/.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from tests.support.baking import ROOT, copy_template
from tests.support.recipes import LEFT, Installed
from tests.support.tutorial import build

IMAGES = ROOT / "docs" / "images"
# What a machine has for itself.
OWN = {*LEFT, ".env", ".git", "media", "uv.lock", "vendor"}
# Makes what the pictures show.
FILL = """\
from courses.models import Course
from users.models import User

teacher = User.objects.create_user("teacher@example.com", "PASSWORD")
for title in ("Bread from sourdough", "Cheese from raw milk", "Cider", "Honey"):
    Course.objects.create(owner=teacher, title=title, text="Six evenings.")
"""


def main() -> None:
    """Build the product, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", action="store_true", help="take them too")
    options = parser.parse_args()
    if options.folder.exists():
        parser.error(f"{options.folder} exists already")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        project = build(copy_template(work / "template"), work)
        copy_project(project.folder, options.folder)
        if options.pictures:
            take_pictures(project)


def copy_project(project: Path, folder: Path) -> None:
    """Copy what a repository of the product has."""
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns(*OWN))


def take_pictures(project: Installed) -> None:
    """Take the catalog and the list of courses, in both color schemes."""
    # Only here, since only the pictures need a browser and a server.
    from tests.support.picturing import serve, take  # noqa: PLC0415

    project.run("python", "manage.py", "shell", "--command", FILL)
    with serve(project) as url:
        take(url, {"/courses/catalog/": "tutorial-catalog"}, IMAGES)


if __name__ == "__main__":
    main()
