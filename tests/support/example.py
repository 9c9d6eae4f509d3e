"""Build the product of docs/tutorial.md: its own part, or all of it.

    uv run python -m tests.support.example           # writes example/ anew
    uv run python -m tests.support.example FOLDER    # all of it; FOLDER must not exist

Its own part is what the reader wrote or changed by hand. Neither has what installing
and running leave, nor secrets.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from tests.support.baking import ROOT, copy_template
from tests.support.recipes import LEFT
from tests.support.tutorial import build

EXAMPLE = ROOT / "example"
COMMAND = "uv run python -m tests.support.example"
# What the reader owns. The rest is as it was generated.
OWN = ("courses", "lessons", "static/design.css", "templates/_app_menu.html")
# What a command makes, with the day or its version of Django.
MADE = {"__pycache__", "migrations"}
# What a machine has for itself.
OF_MACHINE = {*LEFT, ".env", ".git", "media"}


def main() -> None:
    """Build the product, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="for all of it")
    folder = parser.parse_args().folder
    if folder and folder.exists():
        parser.error(f"{folder} exists already")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        project = build(copy_template(work / "template"), work)
        if folder:
            ignored = shutil.ignore_patterns(*OF_MACHINE)
            shutil.copytree(project.folder, folder, ignore=ignored)
        else:
            write_example(read_own(project.folder))


def read_own(project: Path) -> dict[str, str]:
    """Return the text of each file that is the product's own."""
    texts = {}
    for name in OWN:
        place = project / name
        files = [place] if place.is_file() else sorted(place.rglob("*.*"))
        for file in files:
            path = file.relative_to(project)
            if file.is_file() and not MADE.intersection(path.parts):
                texts[path.as_posix()] = file.read_text(encoding="utf-8")
    return texts


def write_example(texts: dict[str, str]) -> None:
    """Replace the files of example/, all but its README."""
    for path in read_own(EXAMPLE):
        (EXAMPLE / path).unlink()
    for path, text in texts.items():
        file = EXAMPLE / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
