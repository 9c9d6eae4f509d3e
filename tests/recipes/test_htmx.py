"""The recipe of htmx, applied as written; attacks on the result, and in Chromium."""

import shutil
import sysconfig
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.baking import ALL_OFF, ALL_ON, Answers, name
from tests.support.browsing import Browse, log_in
from tests.support.live import CREATE_USERS, OWNER, serve
from tests.support.recipes import Install, Installed, Recipe, marks

pytestmark = marks("htmx")

RECIPE = Recipe("htmx")
NOTES = """
from notes.models import Note
for title in ("Milk", "Bread", "Butter"):
    Note.objects.create(owner=User.objects.get(email="owner@example.com"), title=title)
"""
# What somebody could bring into a page if a template did not escape it.
INJECTED = """
document.querySelector("#list").insertAdjacentHTML("beforeend", `
  <p id="planted" hx-swap="none"><button hx-on:click="window.pwned = 1">On</button>
  <button hx-get="/notes/" hx-vals="js:{a: window.pwned = 2}">Values</button>
  <button hx-get="/notes/" hx-trigger="click[window.pwned = 3]">Filter</button>
  <button hx-get="https://evil.example/">Elsewhere</button></p>`);
htmx.process(document.querySelector("#planted"));
"""
STORED = "htmx-current-path-for-history"
SCRIPT = (
    "htmx.swap('#list', '<i>New</i><script>window.pwned = 4</script>', "
    "{swapStyle: 'innerHTML'})"
)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_htmx_passes_every_check_resists_attacks_and_can_go(
    answers: Answers, install: Install, tmp_path: Path, browse: Browse
) -> None:
    project = install(answers, "notes")
    with project.following("htmx", RECIPE):
        if answers == ALL_OFF:
            look(project, tmp_path / "served", browse)


def look(project: Installed, folder: Path, browse: Browse) -> None:
    """Search and delete in Chromium, and try what the configuration forbids.

    Do the former without JavaScript too.
    """
    copy = shutil.copytree(
        project.folder,
        folder / "my-secure-site",
        ignore=shutil.ignore_patterns(".venv"),
    )
    paths = {
        "base": str(project.folder / ".venv"),
        "platbase": str(project.folder / ".venv"),
    }
    packages = sysconfig.get_path("purelib", vars=paths)
    with serve(copy, CREATE_USERS + NOTES, PYTHONPATH=packages) as site:
        for options in ({}, {"java_script_enabled": False}):
            page = browse(site.url, **options)
            log_in(page, OWNER)
            page.goto("/notes/")
            page.get_by_label("Search").fill("b")
            if options:
                page.get_by_role("button", name="Search").click()
            expect(page.get_by_role("link", name="Milk")).to_have_count(0)
            gone = "Butter" if options else "Bread"
            page.on("dialog", lambda dialog: dialog.accept())
            page.get_by_role("row").filter(has_text=gone).get_by_role("button").click()
            expect(page.get_by_role("link", name=gone)).to_have_count(0)
            page.goto("/notes/")
            expect(page.get_by_role("link", name=gone)).to_have_count(0)
            expect(page.get_by_role("link", name="Milk")).to_have_count(1)
            if options:
                continue
            page.evaluate(INJECTED)
            for button in page.locator("#planted button").all():
                button.click()
            page.evaluate(SCRIPT)
            expect(page.get_by_text("New")).to_be_visible()
            assert page.evaluate("window.pwned") is None
            # The path of the page, but no page.
            assert page.evaluate(
                "[...Object.keys(localStorage), ...Object.keys(sessionStorage)]"
            ) == [STORED]
            page.context.clear_cookies()
            page.goto("/")
            log_in(page, OWNER)
            page.goto("/notes/")
            page.context.clear_cookies()
            page.get_by_label("Search").fill("m")
            expect(page).to_have_url(f"{site.url}/accounts/login/?next=/notes/%3Fq%3Dm")
