"""An app of one's own: workshops.

`poe app` makes the app, and the documents' lines give it covers and a formset.
"""

import re
import sys
from difflib import unified_diff
from pathlib import Path

from tests.support.baking import run
from tests.support.readme import PACKAGE_DOCS, section
from tests.support.releases import Edit, change

POE = (sys.executable, "-m", "poethepoet", "--quiet", "--executor", "simple")
WORDS = {
    "notes": "workshops",
    "Notes": "Workshops",
    "Note": "Workshop",
    "note": "workshop",
}
TEXT = '    text = EncryptedTextField(_("text"), max_length=2000, blank=True)\n'
LAST_IMPORT = "from secure_django.encryption import EncryptedTextField\n"
SHOWN_AFTER = "  {{ object.text|linebreaks }}\n"
FORMSET_PAGE = """\
{% extends "base.html" %}

{% block content %}
<form method="post" enctype="multipart/form-data">{% csrf_token %}
  {{ formset }}<button>Save</button>
</form>
{% endblock %}
"""
URL = '    path("all/", views.edit_all, name="edit_all"),\n'
ROW = "/workshops/all/                              log-in 200    200      200    200\n"
FORMSET_EDITS: list[Edit] = [
    ("urls.py", "urlpatterns = [\n", f"urlpatterns = [\n{URL}"),
    ("tests/table.py", "/workshops/create/ ", f"{ROW}/workshops/create/ "),
]


def make_app(folder: Path) -> None:
    """Make the app by the command of the document."""
    run(folder, *POE, "app", "workshops", "--admin")


def add_cover(folder: Path) -> None:
    """Give each workshop a cover by the lines of the document."""
    for path, code in photo_lines(folder):
        present = (folder / path).read_text("utf-8").splitlines()
        for line in code:
            if line not in present:
                change(folder, [cover_edit(folder, path, line)])
    manage(folder, "makemigrations", "workshops")


def photo_lines(folder: Path) -> list[tuple[str, list[str]]]:
    """Return the document's lines for a cover, by file, in the words of this app."""
    photos = guide(folder / "docs" / "your-first-app.md", "Photos")
    found = re.findall(
        r"In `(\S+)`.*?\n```\w+\n(.+?)```", photos, re.MULTILINE | re.DOTALL
    )
    return [
        (path, [line for line in code.splitlines() if line.strip()])
        for path, code in found
    ]


def formset_lines() -> tuple[str, str]:
    """Return the document's imports and code for a formset, in words of this app."""
    several = guide(PACKAGE_DOCS / "photos.md", "Several at once")
    code = several.partition("```python\n")[2].partition("```")[0]
    imports, _, rest = code.partition("\n\n")
    return imports, rest


def guide(document: Path, heading: str) -> str:
    """Return a section of a document, in the words of this app."""
    return re.sub(
        r"notes|Notes|Note|note",
        lambda word: WORDS[word[0]],
        section(document, heading),
    )


def cover_edit(folder: Path, path: str, line: str) -> Edit:
    """Return the edit that puts a line of the document where developers would."""
    if line.startswith("from "):
        return path, LAST_IMPORT, f"{LAST_IMPORT}{line}\n"
    if line.lstrip().startswith("cover = "):
        return path, TEXT, f"{TEXT}{line}\n"
    if line == '            "cover",':
        return path, '            "text",\n', f'            "text",\n{line}\n'
    place = next(
        (
            it
            for it in ("{% load photos %}\n", SHOWN_AFTER)
            if it in (folder / path).read_text("utf-8")
        ),
        "",
    )
    return path, place, f"{place}{line}\n"


def add_formset(folder: Path) -> None:
    """Add a page for several workshops by the lines of the document."""
    app = folder / "workshops"
    imports, formset = formset_lines()
    imported = "from django.db.models"
    change(app, [("views.py", imported, f"{imports}\n{imported}"), *FORMSET_EDITS])
    with (app / "views.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{formset}")
    page = app / "templates" / "workshops" / "edit_all.html"
    page.write_text(FORMSET_PAGE, encoding="utf-8")
    run(folder, "ruff", "check", "--quiet", "--fix", "--no-cache", "workshops")
    run(folder, "ruff", "format", "--quiet", "--no-cache", "workshops")


def manage(folder: Path, *arguments: str) -> str:
    """Run a command of manage.py with the settings of the tests."""
    return run(
        folder,
        sys.executable,
        "manage.py",
        *arguments,
        DJANGO_SETTINGS_MODULE="tests.settings",
    )


def texts(folder: Path) -> dict[str, str]:
    """Return a project's files except migrations, which Django writes, and caches."""
    skipped = {"migrations", "__pycache__", ".mypy_cache", ".ruff_cache"}
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not skipped & set(path.parts)
    ]
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8", errors="replace")
        for path in files
    }


def added_lines(before: dict[str, str], after: dict[str, str]) -> dict[str, int]:
    """Return how many lines each changed file has that it did not have before."""
    numbers = {}
    for path in after:
        diff = list(
            unified_diff(
                before.get(path, "").splitlines(),
                after[path].splitlines(),
                lineterm="",
                n=0,
            )
        )[2:]
        numbers[path] = len(
            [line for line in diff if line.startswith("+") and line.strip() != "+"]
        )
    return {
        path: number
        for path, number in numbers.items()
        if number or before.get(path) != after[path]
    }
