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
# What the files of scripts/app_template are about.
NAMES = r"\ba note\b|notes|Notes|Note|note"
# Each entry goes after the text that the expression finds in the file.
ENTRIES = [
    ("config/settings.py", r"^INSTALLED_APPS = \[\n", '    "notes",\n'),
    (
        "config/urls.py",
        r"^urlpatterns = \[\n",
        '    path("notes/", include("notes.urls")),\n',
    ),
    (
        "templates/_app_menu.html",
        r"\A.*\n",
        Path("scripts/menu_entry.html").read_text("utf-8"),
    ),
    ("pyproject.toml", r"^root_packages = \[\n", '    "notes",\n'),
    ("pyproject.toml", r'^layers = \[\n    "config",\n', '    "notes",\n'),
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
    before = {
        path: Path(path).read_text(encoding="utf-8")
        for path, _, _ in ENTRIES
        if Path(path).is_file()
    }
    try:
        create(name, dict(before))
    except NotRun as reason:
        shutil.rmtree(name, ignore_errors=True)
        write(before)
        sys.exit(f"{name} does not work: {reason}. Nothing was changed.")
    print(
        f"{name}/ is ready. `uv run poe start` applies its migration;"
        f" then open http://localhost:8000/{name}/"
    )


def create(name: str, texts: dict[str, str]) -> None:
    singular = name if name.endswith("ss") else name.removesuffix("s")
    model = singular.title().replace("_", "")
    article = "an" if singular[0] in "aeiou" else "a"
    words = {
        "notes": name,
        "Notes": name.replace("_", " ").capitalize(),
        "Note": model,
        "a note": f"{article} {singular.replace('_', ' ')}",
        "note": model.lower(),
    }

    def rename(text: str) -> str:
        return re.sub(NAMES, lambda found: words[found[0]], text)

    for path, place, entry in ENTRIES:
        if not (found := re.search(place, texts.get(path, ""), re.MULTILINE)):
            raise NotRun(f"{path} has no place for it")
        texts[path] = (
            texts[path][: found.end()] + rename(entry) + texts[path][found.end() :]
        )
    run(
        sys.executable, "manage.py", "startapp", "--template=scripts/app_template", name
    )
    write(
        texts
        | {
            str(path): rename(path.read_text(encoding="utf-8"))
            for path in Path(name).rglob("*.*")
        }
    )
    run(sys.executable, "manage.py", "makemigrations", name)
    run("ruff", "format", "--quiet", name)
    run("ruff", "check", "--quiet", "--fix", "--output-format=concise", name)


def write(texts: dict[str, str]) -> None:
    for path, text in texts.items():
        Path(path).write_text(text, encoding="utf-8", newline="\n")
