"""`poe app`: two apps in a project, attacks on them, refused names, and the guide."""

import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    ROOT,
    Project,
    clean_environment,
    paths,
    run,
)
from tests.support.browsing import (
    Browse,
    add_authenticator_app,
    check_accessibility,
    check_header,
    check_with_axe,
    expect_logged_in,
    log_in,
    open_person_menu,
)
from tests.support.images import encode, landscape
from tests.support.live import ADMIN, CREATE_USERS, OWNER, PASSWORD, serve
from tests.support.own_app import (
    POE,
    add_cover,
    add_formset,
    added_lines,
    guide,
    make_app,
    texts,
)
from tests.support.readme import PACKAGE_DOCS, commands
from tests.support.releases import change
from tests.support.suite import ACCESS, CONTROLS, GUARD, WRITING, run_tests

whole = pytest.mark.tier("whole")
scheduled = pytest.mark.tier(
    "scheduled",
    "src/secure_django/commands/*",
    "src/secure_django/guard/*",
    "src/secure_django/static/*",
    "src/secure_django/templates/*",
)

PAGES = PACKAGE_DOCS / "pages.md"
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}
TABLET = {"viewport": {"width": 768, "height": 1024}, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
# What each card shows, from its top.
CARDS = """() => [...document.querySelectorAll(".cards > li")].map((card) =>
  [...card.children]
    .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
    .map((part) => part.localName))"""
# The middles of what stands between the words below the heading and the cards.
MIDDLES = """() => {
  const bottom = document.querySelector(".lead").getBoundingClientRect().bottom;
  return [...document.querySelectorAll("main :is(a, button, input, label, span)")]
    .filter((part) => part.checkVisibility() && part.offsetWidth > 1)
    .filter((part) => !part.closest(".cards"))
    .map((part) => part.getBoundingClientRect())
    .filter((box) => box.top >= bottom)
    .map((box) => (box.top + box.bottom) / 2)
    .sort((a, b) => a - b);
}"""
DELETE_ROW = "/notes/<pk>/delete/                          log-in 200 "
DELETE = """
from notes.models import Note

def test_only_the_owner_deletes_and_only_once(login, user, other_user):
    notes = [Note.objects.create(owner=user, title="Milk") for _ in range(2)]
    urls = [f"/notes/{note.pk}/delete/" for note in notes]
    assert login(other_user).delete(urls[0]).status_code == 404
    client = login(user)
    assert client.post(urls[0]).status_code == client.put(urls[0]).status_code == 405
    assert [client.delete(url).status_code for url in urls] == [302, 429]
    assert Note.objects.count() == 1
"""
ROLES = """
from notes.models import Note

def test_reader_reads_and_changes_nothing(login, user, other_user):
    note = Note.objects.create(owner=user, title="Milk")
    note.readers.add(other_user)
    url = note.get_absolute_url()
    client = login(other_user)
    assert "Milk" in client.get(url).text
    assert client.get(f"{url}edit/").status_code == 404
    for page in ("edit", "delete"):
        assert client.post(f"{url}{page}/", {"title": "Taken"}).status_code == 404
    assert "Milk" not in client.get("/notes/").text
    assert Note.objects.get().title == "Milk"

def test_choices_are_those_of_the_user(login, user, other_user):
    theirs = Note.objects.create(owner=user, title="Milk")
    mine = Note.objects.create(owner=other_user, title="Bread")
    client = login(other_user)
    page = client.get("/notes/create/").text
    assert "Bread" in page
    assert "Milk" not in page
    for parent, status in ((theirs, 200), (mine, 302)):
        data = {"title": "New", "parent": parent.pk}
        assert client.post("/notes/create/", data).status_code == status
"""
NOTES = """
from notes.models import Note
for title in ("Milk", "Bread"):
    Note.objects.create(owner=User.objects.get(email="owner@example.com"), title=title)
"""
JOBS_TEST = """
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from secure_django.jobs import JOBS
from notes.models import Note

def test_old_notes_are_deleted(user):
    for days in (364, 366):
        note = Note.objects.create(owner=user, title=f"{days} days old")
        created_at = timezone.now() - timedelta(days=days)
        Note.objects.filter(pk=note.pk).update(created_at=created_at)
    call_command("worker", "--once")
    assert Note.objects.get().title == "364 days old"
    modules = {job.work.__module__ for job in JOBS}
    assert {"notes.jobs", "notes.jobs_more"} <= modules
"""
# One of each kind; the attacks write into the text.
FIELDS = (
    "text:text",
    "due:date",
    "seats:number",
    "price:decimal",
    "rating:number:1-5",
    "discount:decimal:0-99.90",
    "opens:time",
    "ends:datetime",
    "urgent:yesno",
    "level:choice:beginner,very_hard",
    "email:email",
    "website:url",
    "picture:photo",
    "note:parent:notes.Note",
)
APPS = {
    "notes": ("--admin",),
    "shopping_lists": (*FIELDS, "--admin"),
    "titles": ("title:text",),
}


def make(folder: Path, app: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `poe app`."""
    command = [
        sys.executable,
        "-m",
        "poethepoet",
        "--quiet",
        "--executor",
        "simple",
        "app",
        app,
        *arguments,
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(),
        check=False,
        capture_output=True,
        encoding="utf-8",
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of every file."""
    return {
        path: (folder / path).read_bytes()
        for path in paths(folder)
        if "_cache/" not in path + "/"
    }


@whole
def test_new_apps_pass_everything_and_resist_attacks(
    project: Project, mypy_cache: str
) -> None:
    folder = project(ALL_OFF)
    for app, arguments in APPS.items():
        output = make(folder, app, *arguments).stdout
        assert output.startswith(f"{app}/ is ready.")
    run(folder, "ruff", "check", "--no-cache")
    run(folder, "ruff", "format", "--check", "--no-cache")
    assert "1 kept, 0 broken" in run(folder, "lint-imports", "--no-logo", "--no-cache")
    run(folder, sys.executable, "-m", "mypy", ".", mypy_cache)
    manage = (sys.executable, "manage.py")
    run(
        folder,
        *manage,
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        DJANGO_SETTINGS_MODULE="tests.settings",
    )
    run(
        folder,
        *manage,
        "makemigrations",
        "--check",
        "--dry-run",
        DJANGO_SETTINGS_MODULE="tests.settings",
    )
    shutil.copy(
        ROOT / "tests" / "template" / "inside" / "app_attacks.py",
        folder / "tests" / "test_app_attacks.py",
    )
    run_tests(folder)


@whole
def test_pages_of_a_new_app_are_accessible(project: Project, browse: Browse) -> None:
    folder = project(ALL_OFF)
    # The picker within an input for dates has a focus of the browser's own.
    pickers = ("date", "time", "datetime", "photo", "parent")
    fields = [field for field in FIELDS if field.split(":")[1] not in pickers]
    make(folder, "notes", *fields)
    with serve(folder) as site:
        for scheme, options in (("light", PHONE), ("dark", PHONE), ("light", DESKTOP)):
            page = browse(site.url, color_scheme=scheme, **options)
            log_in(page, OWNER)
            page.goto("/notes/")
            check_accessibility(page)
            page.get_by_role("link", name="Add").click()
            check_accessibility(page)
            page.get_by_role("link", name="Cancel").press("Enter")
            expect(page).to_have_url(f"{site.url}/notes/")
            page.get_by_role("link", name="Add").click()
            page.get_by_label("Title").fill("W" * 60)
            page.get_by_label("Text").fill("Words")
            page.get_by_role("button", name="Save").click()
            check_accessibility(page)  # the note's page
            url = page.url
            page.get_by_role("link", name="Edit").click()
            check_accessibility(page)
            page.get_by_role("link", name="Cancel").press("Enter")
            expect(page).to_have_url(url)
            page.get_by_role("link", name="All notes").press("Enter")
            expect(page).to_have_url(f"{site.url}/notes/")
            page.goto(f"{url}edit/")
            page.get_by_label("Title").evaluate(
                "input => { input.required = false; input.value = ' ' }"
            )
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_label("Title")).to_have_attribute("aria-invalid", "true")
            check_accessibility(page)
            page.goto("/notes/")
            check_accessibility(page)
            table = page.locator(".table").first
            assert table.evaluate("table => table.scrollWidth > table.clientWidth") == (
                options == PHONE
            )


@whole
def test_list_on_a_phone_begins_after_two_rows(
    project: Project, browse: Browse
) -> None:
    folder = project(ALL_OFF)
    make(folder, "notes", "due:date", "rating:number:1-5", "opens:time", "cover:photo")
    with serve(folder, CREATE_USERS + NOTES) as site:
        page = browse(site.url, java_script_enabled=False, **PHONE)
        log_in(page, OWNER)
        page.goto("/notes/")
        middles = page.evaluate(MIDDLES)
        assert sum(lower - upper > 12 for upper, lower in pairwise(middles)) == 1
        page.get_by_role("link", name="Title").click()
        titles = page.locator(".cards h2")
        expect(titles).to_have_text(["Bread", "Milk"])
        page.get_by_label("Search titles").fill("mil")
        page.get_by_role("button", name="Search").click()
        expect(titles).to_have_text(["Milk"])


@whole
def test_deletion_asks_with_and_without_scripts(
    project: Project, browse: Browse
) -> None:
    folder = project(ALL_OFF)
    make(folder, "notes")
    with serve(folder, CREATE_USERS + NOTES) as site:
        page = browse(site.url)
        log_in(page, OWNER)
        page.goto("/notes/")
        page.get_by_role("link", name="Milk").click()
        delete = page.get_by_role("link", name="Delete")
        dialog = page.get_by_role("dialog", name="Delete “Milk”?")
        cancel = dialog.get_by_role("link", name="Cancel")
        for is_closed_by_key in (True, False):
            delete.press("Enter")
            expect(cancel).to_be_focused()
            check_with_axe(page)
            if is_closed_by_key:
                page.keyboard.press("Escape")
            else:
                cancel.click()
            expect(dialog).to_be_hidden()
            expect(delete).to_be_focused()
        delete.click()
        dialog.get_by_role("button", name="Delete permanently").click()
        expect(page.get_by_text("Deleted.")).to_be_visible()
        page = browse(site.url, java_script_enabled=False)
        log_in(page, OWNER)
        page.goto("/notes/")
        expect(page.get_by_role("link", name="Milk")).to_have_count(0)
        page.get_by_role("link", name="Bread").click()
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("link", name="Cancel").click()
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("button", name="Delete permanently").click()
        expect(page.get_by_text("There is nothing yet.")).to_be_visible()


@scheduled
def test_objects_with_photos_fit_every_screen(project: Project, browse: Browse) -> None:
    folder = project(ALL_OFF)
    make_app(folder)
    add_cover(folder)
    cards = guide(PAGES, "Cards and tables").partition("```html\n")[2]
    index = folder / "workshops" / "templates" / "workshops" / "index.html"
    text = index.read_text(encoding="utf-8")
    start = text.index('<div class="table list"')
    old = text[start : text.index("{% include", text.index("</table>"))]
    new = "{% load photos %}" + cards.partition("```")[0]
    index.write_text(text.replace(old, new), encoding="utf-8", newline="\n")
    file = {
        "name": "wide.jpg",
        "mimeType": "image/jpeg",
        "buffer": encode(landscape(3, (2400, 900))),
    }
    titles = ["W" * 120, "\u0645\u0631\u062d\u0628\u0627 (3)", "Without a cover"]
    with serve(folder, CREATE_USERS) as site:
        page = browse(site.url)
        log_in(page, OWNER)
        for title in titles:
            page.goto("/workshops/create/")
            page.get_by_label("Title").fill(title)
            if title != titles[-1]:
                page.get_by_label("Cover").set_input_files(file)  # type: ignore[arg-type]
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_role("heading", level=1)).to_have_text(title)
        for scheme in ("light", "dark"):
            for options in (PHONE, TABLET, DESKTOP):
                page = browse(site.url, color_scheme=scheme, **options)
                log_in(page, OWNER)
                page.goto("/workshops/")
                check_accessibility(page)
                assert page.evaluate(CARDS) == [
                    ["h2", "p"],  # with an empty place for an image
                    ["img", "h2", "p", "p"],
                    ["img", "h2", "p", "p"],
                ]
                page.get_by_role("link", name=titles[0]).click()
                check_accessibility(page)
                image = page.get_by_role("main").get_by_role("img")
                assert image.evaluate("it => it.complete && it.naturalWidth") > 0


@scheduled
def test_header_stays_in_one_row(project: Project, browse: Browse) -> None:
    """Open pages as each kind of user, with a long name of the site and of an app."""
    name = "The Photographic Society of South Rutland"
    folder = project(
        ALL_ON
        | {
            "cloudinary_moderation": False,
            "project_name": name,
            "project_slug": "my-secure-site",
        }
    )
    make(folder, "photographer")
    verify = "for user in User.objects.all(): user.emailaddress_set.update_or_create("
    verify += "email=user.email, defaults={'verified': True, 'primary': True})\n"
    with serve(folder, CREATE_USERS + verify) as site:
        people = {email: browse(site.url) for email in ("", OWNER, ADMIN)}
        for width in (1280, 960, 390, 320):
            is_first = width == 1280
            for email, page in people.items():
                page.set_viewport_size({"width": width, "height": 800})
                if email and is_first:
                    page.goto("/accounts/login/")
                    page.get_by_label("Email").fill(email)
                    page.get_by_label("Password").fill(PASSWORD)
                    page.get_by_role("button", name="Log in", exact=True).click()
                    expect_logged_in(page)
                for path in ("/", "/accounts/login/", "/accounts/2fa/"):
                    page.goto(path)
                    check_header(page)
                if email == ADMIN and is_first:
                    page.goto("/accounts/2fa/totp/activate/")
                    add_authenticator_app(page)
                    check_header(page)
                    menu = open_person_menu(page)
                    expect(menu.get_by_role("link", name="Admin")).to_be_visible()


@scheduled
def test_names_of_variables_and_of_models_work(project: Project) -> None:
    folder = project(ALL_OFF)
    longest = "a_name_of_twenty_eight_chars"
    apps = ["pages", "clients", "photos", "diary", "press", longest]
    for app in apps:
        assert make(folder, app).returncode == 0, app
    run_tests(folder, *ACCESS, *apps)
    models = [
        re.search(
            r"^class (\w+)\(", (folder / app / "models.py").read_text(), re.MULTILINE
        )
        for app in apps
    ]
    assert [model and model[1] for model in models[:-1]] == [
        "Page",
        "Client",
        "Photo",
        "Diary",
        "Press",
    ]
    run(folder, "ruff", "check", "--no-cache")
    run(folder, "ruff", "format", "--check", "--no-cache")


@whole
@pytest.mark.parametrize("app", ["auth", "nones"])
def test_name_that_fails_once_the_app_is_there_changes_nothing(
    app: str, project: Project
) -> None:
    """Django refuses the first, and Ruff the second."""
    folder = project(ALL_OFF)
    before = contents(folder)
    done = make(folder, app)
    assert done.returncode == 1
    assert re.fullmatch(rf"{app} does .+\. Nothing was changed\.\n", done.stderr)
    assert contents(folder) == before


@whole
def test_cover_takes_at_most_ten_lines_and_none_outside_of_the_app(
    project: Project,
) -> None:
    folder = project(ALL_OFF)
    make_app(folder)
    before = texts(folder)
    add_cover(folder)
    lines = added_lines(before, texts(folder))
    assert set(lines) == {
        f"workshops/{it}"
        for it in ("models.py", "forms.py", "templates/workshops/detail.html")
    }
    assert sum(lines.values()) <= 10


@whole
def test_cover_and_formset_of_the_document_pass_every_check(project: Project) -> None:
    folder = project(ALL_ON)
    make_app(folder)
    add_cover(folder)
    add_formset(folder)
    checked = run(folder, *POE, "check")
    assert "Failed" not in checked, checked
    run_tests(folder, "workshops", *ACCESS, *WRITING, CONTROLS)


@whole
def test_guide_shows_what_comes_out(project: Project) -> None:
    folder = project(ALL_OFF)
    guide = folder / "docs" / "your-first-app.md"
    text = guide.read_text(encoding="utf-8")
    (command, *_) = re.findall(r"^uv run poe .+$", text, re.MULTILINE)
    assert command == "uv run poe app notes"
    make(folder, "notes", "--admin")
    named = set(re.findall(r"^\| `(\w+/[\w./]+)` \|", text, re.MULTILINE))
    assert not [path for path in named if not (folder / path).exists()]
    made = {path.name for path in (folder / "notes").iterdir()} - {
        "__init__.py",
        "__pycache__",
    }
    assert {Path(path).parts[1] for path in named if path.startswith("notes/")} == made
    views = (folder / "notes" / "views.py").read_text(encoding="utf-8")
    *shown, jobs = re.findall(r"^```python\n(.+?)^```", text, re.MULTILINE | re.DOTALL)
    # The tests above run the lines for a cover and for a formset, and the test below
    # those for two roles.
    elsewhere = "cover|FormSet|readers|parent|SearchForm"
    others = [code for code in shown if not re.search(elsewhere, code)]
    assert all(code in views for code in others)
    for module in ("jobs.py", "jobs_more.py"):
        (folder / "notes" / module).write_text(jobs, encoding="utf-8")
    run(folder, "ruff", "check", "--no-cache")
    (folder / "notes" / "tests" / "test_jobs.py").write_text(
        JOBS_TEST, encoding="utf-8"
    )
    run_tests(folder, "notes/tests/test_jobs.py")
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "uv run poe app NAME [FIELD:KIND …]" in readme
    assert commands(folder / "README.md", "Start")


@whole
def test_reader_by_the_guide_changes_nothing_and_chooses_their_own(
    project: Project, mypy_cache: str
) -> None:
    folder = project(ALL_OFF)
    make(folder, "notes")
    guide = (folder / "docs" / "your-first-app.md").read_text(encoding="utf-8")
    code = re.findall(r"^```python\n(.+?)^```", guide, re.MULTILINE | re.DOTALL)
    (readable,) = [block for block in code if "readers" in block]
    (choices,) = [block for block in code if "parent" in block]
    (readers,) = re.findall(r"`(readers = .+?)`", guide)
    (allowed,) = re.findall(r"`(deleted_with = .\"readers.+?)`", guide)
    parent = (
        'parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True,'
        ' related_name="+")'
    )
    text = "    created_at = models"
    detail = '{"object": get_object_or_404(own(request), pk=pk)}'
    imports = "from secure_django.photos.forms import PhotoModelForm\n"
    end = "        )\n"
    change(
        folder,
        [
            (
                "notes/models.py",
                text,
                f"    {readers}\n    {allowed}\n    {parent}\n{text}",
            ),
            ("notes/forms.py", end, f'            "parent",\n{end}\n{choices}'),
            ("notes/forms.py", imports, f"from typing import Any\n\n{imports}"),
            ("notes/views.py", "import QuerySet\n", "import Q, QuerySet\n"),
            (
                "notes/views.py",
                "@require_safe\ndef index",
                f"{readable}\n\n@require_safe\ndef index",
            ),
            ("notes/views.py", detail, detail.replace("own(", "readable(")),
        ],
    )
    run(folder, sys.executable, "manage.py", "makemigrations", "notes")
    run(folder, "ruff", "format", "--no-cache", "notes")
    run(folder, "ruff", "check", "--no-cache")
    run(folder, sys.executable, "-m", "mypy", ".", mypy_cache)
    (folder / "notes" / "tests" / "test_roles.py").write_text(ROLES, encoding="utf-8")
    run_tests(folder, *ACCESS, "notes")


@whole
def test_url_without_an_access_rule_is_named_with_the_row_to_add(
    project: Project,
) -> None:
    folder = project(ALL_OFF)
    imported = "from secure_django.urls import (\n"
    url = '    path("reports/", csp.csp_report),\n'
    edits = [
        ("config/urls.py", imported, f"from secure_django.web import csp\n{imported}"),
        ("config/urls.py", "urlpatterns = [\n", f"urlpatterns = [\n{url}"),
    ]
    change(folder, edits)
    with pytest.raises(AssertionError) as failure:
        run_tests(folder, *ACCESS)
    *_, output = str(failure.value).partition(" FAILURES ")
    assert "no access rule for /reports/\n" in output
    assert ["/reports/", *["400"] * 5] in [line.split() for line in output.splitlines()]
    assert len(output.splitlines()) < 40, "the advice is in the last lines"


@whole
def test_view_that_forgets_whose_objects_it_shows_is_named(project: Project) -> None:
    folder = project(ALL_OFF)
    make(folder, "notes")
    change(
        folder,
        [
            (
                "notes/views.py",
                "Note.objects.filter(owner=request.user)",
                "Note.objects.all()",
            )
        ],
    )
    with pytest.raises(AssertionError) as failure:
        run_tests(folder, *ACCESS)
    output = str(failure.value)
    for person in ("other", "staff", "reviewer"):
        assert f"says[{person}]" in output
        for page in ("", "edit/", "delete/"):
            line = f"/notes/<pk>/{page} answers 200, not 404 ({person})\n"
            assert line in output
    assert output.count(", not 404 (") == 9
    assert "search in what own() returns" in output


@whole
def test_view_that_takes_every_method_and_page_without_an_object_are_named(
    project: Project,
) -> None:
    folder = project(ALL_OFF)
    make(folder, "notes")
    # Its row says that nobody finds it: the app makes no object for it.
    row = "/notes/<note>/print/ log-in 404 404 404 404\n"
    edits = [
        ("notes/views.py", "@require_safe\ndef index", "def index"),
        (
            "notes/urls.py",
            "urlpatterns = [",
            'urlpatterns = [\n    path("<int:note>/print/", views.printed),',
        ),
        ("notes/tests/table.py", "/notes/create/ ", f"{row}/notes/create/ "),
    ]
    with (folder / "notes" / "views.py").open("a", encoding="utf-8") as views:
        views.write(
            "\n\n@require_safe\ndef printed(request, note):\n"
            "    return detail(request, note)\n"
        )
    change(folder, edits)
    with pytest.raises(AssertionError) as failure:
        run_tests(folder, *ACCESS)
    report = str(failure.value)
    for finding in (
        "objects() of notes returns no note for /notes/<note>/print/",
        "/notes/: put @require_http_methods before the view",
    ):
        assert finding in report
    # One finding for one cause.
    assert "nobody finds /notes/<note>/print/" not in report


@whole
def test_own_page_at_the_root_leaves_the_tests_green(project: Project) -> None:
    folder = project(ALL_OFF)
    make(folder, "pages")
    change(folder, [("config/urls.py", 'path("pages/", include', 'path("", include')])
    for path in (folder / "pages" / "tests").glob("*.py"):
        # But not the admin's URLs.
        text = re.sub(r"/pages/(?!page/)", "/", path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    run_tests(folder, *GUARD, CONTROLS, "pages")


@scheduled
def test_put_and_delete_are_for_views_to_choose(project: Project) -> None:
    folder = project(ALL_OFF)
    make(folder, "notes")
    limited = (
        '@require_http_methods(["DELETE"])\n@rate_limit(1, seconds=60)\ndef delete'
    )
    get_and_post = '@require_http_methods(["GET", "HEAD", "POST"])\ndef delete'
    asks = '    if request.method != "POST":\n'
    change(
        folder,
        [
            ("notes/views.py", get_and_post, limited),
            ("notes/views.py", asks, '    if request.method != "DELETE":\n'),
            ("notes/tests/table.py", DELETE_ROW, DELETE_ROW.replace("200 ", "away")),
        ],
    )
    (folder / "notes" / "tests" / "test_delete.py").write_text(DELETE, encoding="utf-8")
    run_tests(folder, *ACCESS, "notes/tests/test_delete.py")
