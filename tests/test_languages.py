"""Every text is translated: in a made-up language that marks each, and in German."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    RAW,
    ROOT,
    WITH_GALLERY,
    Answers,
    Project,
    name,
    paths,
    run,
)

pytestmark = pytest.mark.tier(
    "scheduled",
    f"{RAW}/*.py",
    f"{RAW}/*.html",
    f"{RAW}/*.txt",
    "tests/inside/languages.py",
)

INSIDE = ROOT / "tests" / "inside"
# Without the modules that start processes, which these marks do not reach.
MARKED = [
    "-m",
    "pytest",
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "core.tests.languages",
    "--show-capture=no",
    "--tb=no",
]
MARKED += ["--ignore=core/tests/test_settings.py", "--ignore=core/tests/test_backup.py"]
# It sends emails with words of its own.
MARKED += ["--ignore=core/tests/test_invitations.py"]

# What the makers of an app write into its first German translation.
GERMAN = {
    "Gallery": "Galerie",
    "Skip to content": "Zum Inhalt",
    "Title": "Titel",
    "Choose a photo.": "Wähle ein Foto.",
    (
        "This file is too large. The limit is {megabytes} MB. "
        "Save a smaller copy and try again."
    ): "Mehr als {megabytes} MB.",
    "A decision on your photo": "Eine Entscheidung über dein Foto",
    "%(width)s × %(height)s pixels": "%(width)s × %(height)s Bildpunkte",
    "Uploading.": "Wird hochgeladen.",
    "Waiting for review": "Wartet auf Prüfung",
}
PAGES = """
from core.error_pages import error_page
from django.test import Client
from users.models import User
from uploads.models import Photo
from uploads.images import upload_error
from datetime import datetime, UTC
user, _ = User.objects.get_or_create(email="owner@example.com")
photo = Photo.objects.create(
    owner=user, purpose="gallery", title="Hafen", width=640, height=480,
    display_size=1, thumbnail_size=1,
    created_at=datetime(2026, 10, 31, 23, 30, tzinfo=UTC),
)
client = Client(headers={"host": "localhost"})
print(client.get("/").content.decode())
print(error_page(None, name="404").content.decode())
client.force_login(user)
for path in ("/photos/upload/", "/photos/mine/", photo.get_absolute_url()):
    print(client.get(path).content.decode())
print(client.post("/photos/upload/", {"title": ""}).content.decode())
print(upload_error("too_large").message)
"""


def read_marked(folder: Path) -> tuple[list[str], set[str], int]:
    """Run a project's own tests with marks.

    Return the texts without marks, the templates that nothing rendered, and the number
    of pages read.
    """
    shutil.copy(INSIDE / "languages.py", folder / "core" / "tests" / "languages.py")
    shutil.copy(
        INSIDE / "every_page.py", folder / "core" / "tests" / "test_every_page.py"
    )
    report = run(folder, sys.executable, *MARKED)
    assert "test_every_page" not in report, report  # no failure there
    pages = re.findall(r"^read (\d+) pages$", report, re.MULTILINE)
    texts = re.findall(r"^unmarked: (.+)$", report, re.MULTILINE)
    return (
        texts,
        set(re.findall(r"^not rendered: (.+)$", report, re.MULTILINE)),
        int(pages[0]),
    )


def test_no_page_or_email_has_an_untranslated_text(project: Project) -> None:
    """The kinds of project together render every template."""
    rendered: set[str] = set()
    unused: set[str] = set()
    # The gallery and the accounts app replace some templates. The start page without
    # a gallery shows others of the accounts app.
    with_accounts = ALL_OFF | {"auth_app": True}
    for answers, least in ((ALL_ON, 2000), (ALL_OFF, 1000), (with_accounts, 1000)):
        folder = project(answers)
        texts, not_rendered, pages = read_marked(folder)
        assert not texts, "\n".join(texts)
        assert pages > least
        rendered |= paths(folder) - not_rendered
        unused |= not_rendered
        shutil.rmtree(folder)
    assert not unused - rendered


def test_untranslated_texts_are_found(project: Project) -> None:
    """Put one text each into a page, a form, a message and an email."""
    folder = project(WITH_GALLERY)
    edits = {
        "templates/base.html": ('{% translate "Skip to content" %}', "Skip to content"),
        "templates/error.html": ("<h1>{{ title }}</h1>", "<h1>Not marked</h1>"),
        "gallery/forms.py": ('label=_("Photo")', 'label="Photo file"'),
        "gallery/views.py": ('_("The photo was deleted.")', '"The photo was deleted."'),
        "users/templates/account/email/base_message.txt": (
            "{% blocktranslate %}Sent by {{ project_name }}{% endblocktranslate %}",
            "Sent by {{ project_name }}",
        ),
        "uploads/templates/uploads/photo_input.html": (
            '"{% translate "Uploading." %}"',
            '"Uploading."',
        ),
    }
    for path, (old, new) in edits.items():
        text = (folder / path).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (folder / path).write_text(text.replace(old, new), encoding="utf-8")
    texts, _, _ = read_marked(folder)
    found = [text.partition(" on [")[0] for text in texts]
    assert found == [
        "'Not marked'",
        "'Photo file'",
        "'Sent by My Secure Site'",
        "'Skip to content'",
        "'The photo was deleted.'",
        "'Uploading.'",
    ]


def translate(file: Path) -> None:
    """Fill in the German texts of a .po file."""
    run(file.parent, "msgcat", "--no-wrap", f"--output-file={file}", str(file))
    text = file.read_text(encoding="utf-8")
    for english, german in GERMAN.items():
        lines = text.partition(f'msgid "{english}"\n')[2]
        assert lines, english
        start = len(text) - len(lines)
        changed = re.sub(
            r'^(msgstr|msgstr\[\d\]) ""$',
            rf'\1 "{german}"',
            lines.partition("\n\n")[0],
            flags=re.MULTILINE,
        )
        text = text[:start] + changed + lines[len(lines.partition("\n\n")[0]) :]
    file.write_text(text, encoding="utf-8")


@pytest.mark.skipif(not shutil.which("msgfmt"), reason="gettext is not installed")
@pytest.mark.parametrize("answers", [ALL_ON, WITH_GALLERY], ids=name)
def test_team_translates_its_site_into_german(
    answers: Answers, project: Project
) -> None:
    """Follow docs/languages.md."""
    folder = project(answers)
    commands = re.findall(
        r"^uv run (python .*)$",
        (folder / "docs" / "languages.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert len(commands) == 2
    run(folder, sys.executable, *commands[0].split()[1:])
    catalog = folder / "locale" / "de" / "LC_MESSAGES" / "django.po"
    assert catalog.read_text(encoding="utf-8").count("msgid ") > 180
    assert "scripts/" not in catalog.read_text(encoding="utf-8")
    translate(catalog)
    run(folder, sys.executable, *commands[1].split()[1:])
    run(folder, sys.executable, "manage.py", "migrate", DEBUG="on")
    germany = {"DEBUG": "on", "LANGUAGE_CODE": "de", "TIME_ZONE": "Europe/Berlin"}
    pages = run(folder, sys.executable, "manage.py", "shell", "-c", PAGES, **germany)
    assert pages.count('<html lang="de">') == pages.count("<html") == 6
    assert "<h1>Galerie</h1>" in pages
    assert 'data-started="Wird hochgeladen."' in pages
    assert "Titel:</label>" in pages
    assert "Wähle ein Foto." in pages
    assert "Wartet auf Prüfung" in pages
    assert "Mehr als 10 MB." in pages
    # An hour after midnight, by German time and in German.
    assert ">1. November 2026</time> · 640 × 480 Bildpunkte" in pages
    # Django's own translation, and a text that the team has not translated yet.
    assert "Bis zu" not in pages
    assert "Dieses Feld ist zwingend erforderlich." in pages
    assert "Upload a photo" in pages
    english = run(folder, sys.executable, "manage.py", "shell", "-c", PAGES, DEBUG="on")
    assert english.count('<html lang="en">') == 6
    assert "Oct. 31, 2026" in english
    assert "Galerie" not in english
    hebrew = run(
        folder,
        sys.executable,
        "manage.py",
        "shell",
        "-c",
        PAGES,
        DEBUG="on",
        LANGUAGE_CODE="he",
    )
    assert hebrew.count('<html lang="he" dir="rtl">') == 6
