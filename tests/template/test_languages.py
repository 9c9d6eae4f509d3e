"""Every text is translated: in a made-up language that marks each, and in German."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support import inplace
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
from tests.support.own_app import POE
from tests.support.releases import Edit, change
from tests.support.suite import run_tests

pytestmark = pytest.mark.tier(
    "scheduled",
    f"{RAW}/*.py",
    f"{RAW}/*.html",
    f"{RAW}/*.txt",
    "src/*.py",
    "src/*.html",
    "src/*.txt",
    "tests/template/inside/languages.py",
)

INSIDE = ROOT / "tests" / "template" / "inside"
PACKAGE = ROOT / "src" / "secure_django"
MARKED = ("--show-capture=no", "--tb=no")
# Without the modules that start processes, which these marks do not reach, and without
# the one that sends emails with words of its own.
IN_PLACE = [
    *("tests/accounts", "tests/jobs", "tests/login", "tests/mail", "tests/photos"),
    *("tests/web", "tests/test_admin.py", "--ignore=tests/mail/test_invitations.py"),
    *("-m", "not tier", "-p", "tests.template.inside.languages"),
]

# What the makers of an app write into its first German translation.
GERMAN = {
    "Gallery": "Galerie",
    "Skip to content": "Zum Inhalt",
    "title": "Titel",
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
from secure_django.web.error_pages import error_page
from django.test import Client, RequestFactory
from gallery.models import Picture
from users.models import User
from secure_django.photos.models import Photo
from secure_django.photos.images import upload_error
from datetime import datetime, UTC
user, _ = User.objects.get_or_create(email="owner@example.com")
created_at = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
photo = Photo.objects.create(
    owner=user, purpose="gallery.picture.photo", title="Hafen", width=640, height=480,
    display_size=1, thumbnail_size=1, created_at=created_at,
)
picture = Picture.objects.create(
    owner=user, title="Hafen", photo=photo, created_at=created_at
)
client = Client(headers={"host": "localhost"})
print(client.get("/").content.decode())
print(error_page(RequestFactory().get("/"), name="404").content.decode())
client.force_login(user)
for path in ("/photos/upload/", "/photos/mine/", photo.get_absolute_url()):
    print(client.get(path).content.decode())
print(client.post("/photos/upload/", {"title": ""}).content.decode())
print(upload_error("too_large").message)
"""


def parse(report: str) -> tuple[list[str], set[str], int]:
    """Return texts without marks, templates that nothing rendered, and the pages."""
    texts = re.findall(r"^unmarked: (.+)$", report, re.MULTILINE)
    not_rendered = set(re.findall(r"^not rendered: (.+)$", report, re.MULTILINE))
    pages = re.findall(r"^read (\d+) pages$", report, re.MULTILINE)
    return texts, not_rendered, int(pages[0])


def read_marked(folder: Path) -> tuple[list[str], set[str], int]:
    """Run the tests of a project with marks, and parse what they report."""
    shutil.copy(INSIDE / "languages.py", folder / "tests")
    shutil.copy(INSIDE / "every_page.py", folder / "tests" / "test_every_page.py")
    report = run_tests(folder, "-p", "tests.languages", *MARKED)
    assert "test_every_page" not in report, report  # no failure there
    return parse(report)


def templates(folder: Path) -> set[str]:
    """Return the templates of the package and of a project."""
    own = {path for path in paths(folder) if not path.startswith("vendor/")}
    return own | {f"secure_django/{path}" for path in paths(PACKAGE)}


def test_no_page_or_email_has_an_untranslated_text(project: Project) -> None:
    """The package's tests and the kinds of project together render every template."""
    texts, unused, pages = parse(run(ROOT, *inplace.PYTEST, *MARKED, *IN_PLACE))
    assert not texts, "\n".join(texts)
    assert pages > 500
    rendered = {f"secure_django/{path}" for path in paths(PACKAGE)} - unused
    # The gallery and sign-up replace some templates. The start page without a gallery
    # shows others of sign-up.
    with_accounts = ALL_OFF | {"auth_app": True}
    for answers in (ALL_ON, ALL_OFF, with_accounts):
        folder = project(answers)
        texts, not_rendered, pages = read_marked(folder)
        assert not texts, "\n".join(texts)
        assert pages > 500
        rendered |= templates(folder) - not_rendered
        unused |= not_rendered
        shutil.rmtree(folder)
    assert not unused - rendered


def test_untranslated_texts_are_found(project: Project) -> None:
    """Put one text each into a page, a form, a message and an email."""
    folder = project(WITH_GALLERY)
    email = "secure_django/email.txt"
    copy = folder / "templates" / email
    copy.parent.mkdir()
    shutil.copy(PACKAGE / "templates" / email, copy)
    edits: list[Edit] = [
        (
            "templates/base.html",
            '{% translate "Skip to content" %}',
            "Skip to content",
        ),
        ("templates/error.html", "<h1>{{ title }}</h1>", "<h1>Without a mark</h1>"),
        (
            "gallery/models.py",
            '_("Shown with the photo. Up to 120 characters.")',
            '"Photo file"',
        ),
        (
            "gallery/views.py",
            '_("The photo was deleted.")',
            '"The photo was deleted."',
        ),
        (
            "templates/secure_django/email.txt",
            "{% blocktranslate %}Sent by {{ project_name }}{% endblocktranslate %}",
            "Sent by {{ project_name }}",
        ),
        (
            "gallery/templates/gallery/upload.html",
            "{% block content %}\n",
            (
                "{% block content %}\n"
                '<p data-max-bytes="1" data-started="Uploading."></p>\n'
            ),
        ),
    ]
    change(folder, edits)
    texts, _, _ = read_marked(folder)
    found = [text.partition(" on [")[0] for text in texts]
    assert found == [
        "'Photo file'",
        "'Sent by My Secure Site'",
        "'Skip to content'",
        "'The photo was deleted.'",
        "'Uploading.'",
        "'Without a mark'",
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
    document = (folder / "docs" / "languages.md").read_text("utf-8")
    collecting, compiling = re.findall(r"^uv run (.*)$", document, re.MULTILINE)
    assert collecting == "poe messages de"
    run(folder, *POE, "messages", "de")
    catalog = folder / "locale" / "de" / "LC_MESSAGES" / "django.po"
    assert catalog.read_text(encoding="utf-8").count("msgid ") > 180
    translate(catalog)
    run(folder, sys.executable, *compiling.split()[1:])
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
