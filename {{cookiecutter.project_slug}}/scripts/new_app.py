"""Make an app by Django's startapp; name it in settings, URLs and imports.

In the files of scripts/app_template, `notes`, `Notes` and `Note` become the app, its
title and its model, and `a note` becomes one object.
"""

import re
import shutil
import sys
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple

from scripts.security import NotRun, run

NAME = re.compile(r"(?=.{2,28}$)[a-z][a-z0-9]*(_[a-z0-9]+)*")
# Git, Ruff or pytest ignore some of these folders; the others would hide modules of the
# template or of an extra.
RESERVED = {
    "backups",
    "build",
    "dist",
    "media",
    "models",
    "redis",
    "reports",
    "sentry_sdk",
    "storages",
    "tests",
}
# The words for the app in scripts/app_template.
WORDS = re.compile(r"\ba note\b|notes|Notes|Note|note")


class Entry(NamedTuple):
    """A text that a file gets after the place that the expression finds."""

    path: str
    place: str
    text: str


INCLUDE = '    path("notes/", include("notes.urls")),\n'
MENU_ENTRY = Path("scripts/menu_entry.html").read_text("utf-8")
ENTRIES = [
    Entry("config/settings.py", r"^INSTALLED_APPS = \[\n", '    "notes",\n'),
    Entry("config/urls.py", r"^urlpatterns = \[\n", INCLUDE),
    Entry("templates/_app_menu.html", r"\A.*\n", MENU_ENTRY),
    Entry("pyproject.toml", r"^root_packages = \[\n", '    "notes",\n'),
    Entry("pyproject.toml", r'^layers = \[\n    "config",\n', '    "notes",\n'),
]


def main(name: str) -> None:
    if not NAME.fullmatch(name) or iskeyword(name):
        rule = "use 2 to 28 lowercase letters, digits and single underscores"
        sys.exit(f"{name} is not a valid name: {rule}. Nothing was changed.")
    if name in RESERVED or Path(name).exists() or find_spec(name):
        sys.exit(
            f"{name} is the name of a module, a package or a folder."
            " Nothing was changed."
        )
    paths = {entry.path for entry in ENTRIES if Path(entry.path).is_file()}
    texts = {path: Path(path).read_text(encoding="utf-8") for path in paths}
    try:
        create_app(name, dict(texts))
    except NotRun as reason:
        shutil.rmtree(name, ignore_errors=True)
        write_files(texts)
        sys.exit(f"{name} does not work: {reason}. Nothing was changed.")
    print(
        f"{name}/ is ready. `uv run poe start` applies its migration;"
        f" then open http://localhost:8000/{name}/"
    )


def create_app(name: str, texts: dict[str, str]) -> None:
    """Write the files of the app, and its entries into the texts of other files."""
    words = choose_words(name)
    for entry in ENTRIES:
        text = texts.get(entry.path, "")
        match = re.search(entry.place, text, re.MULTILINE)
        if not match:
            raise NotRun(f"{entry.path} has no place for it")
        end = match.end()
        texts[entry.path] = text[:end] + rename(entry.text, words) + text[end:]
    manage = (sys.executable, "manage.py")
    run(*manage, "startapp", "--template=scripts/app_template", name)
    for path in Path(name).rglob("*.*"):
        texts[str(path)] = rename(path.read_text(encoding="utf-8"), words)
    write_files(texts)
    run(*manage, "makemigrations", name)
    run("ruff", "format", "--quiet", name)
    run("ruff", "check", "--quiet", "--fix", "--output-format=concise", name)


def choose_words(name: str) -> dict[str, str]:
    """Return the words for a new app, by those of scripts/app_template."""
    singular = name if name.endswith("ss") else name.removesuffix("s")
    model = singular.title().replace("_", "")
    article = "an" if singular[0] in "aeiou" else "a"
    title = name.replace("_", " ").capitalize()
    return {
        "notes": name,
        "Notes": title,
        "Note": model,
        "a note": f"{article} {singular.replace('_', ' ')}",
        "note": model.lower(),
    }


def rename(text: str, words: dict[str, str]) -> str:
    return WORDS.sub(lambda match: words[match[0]], text)


def write_files(texts: dict[str, str]) -> None:
    for path, text in texts.items():
        Path(path).write_text(text, encoding="utf-8", newline="\n")
