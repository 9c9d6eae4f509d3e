"""A CSS library in a project, as the emitted docs/design.md says: Bootstrap."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.baking import (
    ALL_OFF,
    RAW,
    SUITE_SECONDS,
    Project,
    run_within,
)
from tests.support.browsing import Browse, check_with_axe
from tests.support.live import serve
from tests.support.npm import npm_install
from tests.support.releases import change
from tests.support.suite import PYTEST

pytestmark = [
    pytest.mark.tier(
        "scheduled",
        f"{RAW}/docs/design.md",
        f"{RAW}/config/settings.py",
        f"{RAW}/static/*",
        "src/secure_django/controls/*",
        "src/secure_django/static/*",
        "src/secure_django/storage.py",
        "src/secure_django/templates/*",
    ),
    pytest.mark.timeout(SUITE_SECONDS + 500),
]

BOOTSTRAP = "bootstrap@5.3.9"
FILES = ("css/bootstrap.min.css", "js/bootstrap.bundle.min.js")
DESIGN = '  <link rel="stylesheet" href="{% static \'design.css\' %}">\n'
PLACE = '  <p class="lead">{{ project_description }}</p>\n'
# A menu, a question with an answer, and a dialog with a checkbox.
COMPONENTS = """\
  <div class="dropdown">
    <button class="btn btn-primary dropdown-toggle" type="button" \
data-bs-toggle="dropdown" aria-expanded="false">More</button>
    <ul class="dropdown-menu">
      <li><a class="dropdown-item" href="/#dates">Dates</a></li>
      <li><a class="dropdown-item" href="/#prices">Prices</a></li>
    </ul>
  </div>
  <div class="accordion my-3">
    <div class="accordion-item">
      <h2 class="accordion-header">
        <button class="accordion-button collapsed" type="button" \
data-bs-toggle="collapse" data-bs-target="#answer" aria-expanded="false" \
aria-controls="answer">Who may come?</button>
      </h2>
      <div class="accordion-collapse collapse" id="answer">
        <p class="accordion-body">All.</p>
      </div>
    </div>
  </div>
  <button class="btn btn-outline-dark" type="button" \
data-bs-toggle="modal" data-bs-target="#terms">Terms</button>
  <div class="modal fade" id="terms" tabindex="-1" aria-labelledby="terms-title" \
aria-hidden="true">
    <div class="modal-dialog">
      <div class="modal-content">
        <div class="modal-header">
          <h2 class="modal-title fs-5" id="terms-title">The terms</h2>
          <button class="btn-close" type="button" data-bs-dismiss="modal" \
aria-label="Close"></button>
        </div>
        <div class="modal-body form-check">
          <input class="form-check-input" type="checkbox" id="agree" checked>
          <label class="form-check-label" for="agree">I agree</label>
        </div>
      </div>
    </div>
  </div>
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the files of Bootstrap that sites use."""
    folder = tmp_path_factory.mktemp("bootstrap")
    npm_install(folder, BOOTSTRAP)
    return folder / "node_modules" / "bootstrap" / "dist"


def add_bootstrap(folder: Path, dist: Path) -> None:
    """Put Bootstrap into a project by the lines of its document."""
    document = (folder / "docs" / "design.md").read_text(encoding="utf-8")
    guide = document.partition("\n## A CSS library\n")[2].partition("\n## ")[0]
    vendor = folder / "static" / "vendor" / "bootstrap"
    vendor.mkdir(parents=True)
    for name in FILES:
        shutil.copy(dist / name, vendor)
    head = guide.partition("```html\n")[2].partition("```")[0]
    (image_rule,) = re.findall(r'`("img-src": .+?)`', guide)
    (scheme,) = re.findall(r"`(color-scheme: .+?)`", guide)
    edits = [
        ("templates/base.html", DESIGN, head + DESIGN),
        ("templates/home.html", PLACE, PLACE + COMPONENTS),
        ("config/settings.py", '"img-src": [CSP.SELF, *PHOTO_HOSTS],', image_rule),
        ("static/design.css", "color-scheme: light dark;", scheme),
    ]
    change(folder, edits)


def test_bootstrap_works_under_the_policy(
    dist: Path, project: Project, browse: Browse
) -> None:
    folder = project(ALL_OFF)
    add_bootstrap(folder, dist)
    with serve(folder) as site:
        page = browse(site.url, color_scheme="dark")
        html = site.visitor().get("/").text
        for name in ("css", "js"):
            assert re.search(rf"vendor/bootstrap/bootstrap\.[\w.]+\.{name}\"", html)
        check_with_axe(page)
        use_menu(page)
        use_answer(page)
        use_dialog(page)


def use_menu(page: Page) -> None:
    """Open the menu by a click, and choose from it by the keyboard."""
    button = page.get_by_role("button", name="More")
    button.click()
    expect(page.get_by_role("link", name="Prices")).to_be_visible()
    check_with_axe(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Prices")).to_be_hidden()
    expect(button).to_be_focused()
    for key in ("Enter", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/#prices")


def use_answer(page: Page) -> None:
    """Open the answer by a click, and close it by the keyboard."""
    button = page.get_by_role("button", name="Who may come?")
    button.click()
    expect(page.get_by_text("All.")).to_be_visible()
    expect(page.locator(".collapsing")).to_have_count(0)
    check_with_axe(page)
    page.keyboard.press("Space")
    expect(page.get_by_text("All.")).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")


def use_dialog(page: Page) -> None:
    """Open the dialog by the keyboard, stay in it, and close it in both ways."""
    button = page.get_by_role("button", name="Terms")
    dialog = page.get_by_role("dialog", name="The terms")
    close = dialog.get_by_role("button", name="Close")
    button.focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    expect(dialog).to_be_focused()
    expect(page.locator(".modal-backdrop")).to_have_css("opacity", "0.5")
    check_with_axe(page)
    for reached in (close, dialog.get_by_label("I agree"), close):
        page.keyboard.press("Tab")
        expect(reached).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    close.click()
    expect(dialog).to_be_hidden()


def test_project_with_bootstrap_passes_its_own_tests(
    dist: Path, project: Project
) -> None:
    folder = project(ALL_OFF)
    add_bootstrap(folder, dist)
    assert " passed" in run_within(SUITE_SECONDS, folder, PYTEST, {})
