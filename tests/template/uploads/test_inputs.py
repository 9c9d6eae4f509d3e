"""A form of an app with two photos, a plan and a text, in Chromium."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.baking import ROOT, WITH_GALLERY, Project
from tests.support.browsing import Browse, check_accessibility, log_in, stop_clock
from tests.support.images import encode, landscape
from tests.support.live import OWNER, Site, serve

pytestmark = pytest.mark.tier("whole")

JPEG, GIF = encode(landscape(1, (640, 480))), encode(landscape(1, (64, 48)), "GIF")
PHONE = {"viewport": {"width": 390, "height": 844}}
URLS = """
from config import photo_form
urlpatterns.append(path("workshop/", photo_form.workshop))
"""


@pytest.fixture(scope="module")
def site(pristine: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a project with the form."""
    folder = shutil.copytree(
        pristine(WITH_GALLERY), tmp_path_factory.mktemp("inputs") / "my-secure-site"
    )
    shutil.copy(
        ROOT / "tests" / "template" / "uploads" / "inside" / "photo_form.py",
        folder / "config" / "photo_form.py",
    )
    with (folder / "config" / "urls.py").open("a", encoding="utf-8") as urls:
        urls.write(URLS)
    with serve(folder) as served:
        yield served


def choose(page: Page, label: str, content: bytes, name: str = "a.jpg") -> None:
    """Choose a file."""
    page.get_by_label(label).set_input_files(
        {"name": name, "mimeType": "image/jpeg", "buffer": content}
    )


def open_form(page: Page) -> Page:
    """Log in and open the form."""
    log_in(page, OWNER)
    page.goto("/workshop/")
    page.get_by_label("Action").fill("Kept")
    return page


def files(page: Page) -> dict[str, list[str]]:
    """Return the names of the chosen files by field."""
    code = (
        "inputs => inputs.map("
        "input => [input.name, [...input.files].map(file => file.name)])"
    )
    return dict(page.locator("input[type=file]").evaluate_all(code))


@pytest.mark.parametrize(
    "options",
    [{}, {"java_script_enabled": False}],
    ids=["with JavaScript", "without JavaScript"],
)
def test_refused_photo_is_shown_at_its_field_and_the_other_files_kept(
    options: dict[str, Any], site: Site, browse: Browse
) -> None:
    page = open_form(browse(site.url, **options))
    choose(page, "Cover", JPEG, "cover.jpg")
    choose(page, "Plan", b"%PDF", "plan.pdf")
    choose(page, "Portrait", GIF, "portrait.jpg")
    if not options:
        expect(page.get_by_role("img", name="Preview")).to_have_count(2)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("No JPEG.")).to_be_visible()
    expect(page.get_by_label("Portrait")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Action")).to_have_value("Kept")
    if options:
        return
    expect(page.get_by_label("Portrait")).to_be_focused()
    expect(page.get_by_role("img", name="Preview")).to_have_count(1)
    assert files(page) == {"cover": ["cover.jpg"], "plan": ["plan.pdf"], "portrait": []}
    choose(page, "Portrait", JPEG, "portrait.jpg")
    page.get_by_role("button", name="Save as a draft").click()
    expect(
        page.get_by_text("Saved: ['Kept', 'cover.jpg', 'plan.pdf', 'portrait.jpg'] 1")
    ).to_be_visible()


def test_busy_site_gets_all_files_again(site: Site, browse: Browse) -> None:
    page = open_form(browse(site.url))
    for label, name in (("Cover", "cover.jpg"), ("Plan", "plan.pdf")):
        choose(page, label, JPEG, name)
    sent: list[bool] = []

    def be_busy_once(route: Any) -> None:  # noqa: ANN401
        if route.request.method != "POST":
            route.continue_()
            return
        body = route.request.post_data_buffer
        sent.append(
            all(
                name in body
                for name in (b"Kept", b"cover.jpg", b"plan.pdf", b'name="draft"')
            )
        )
        if len(sent) == 1:
            route.fulfill(
                status=503,
                headers={"Retry-After": "1"},
                content_type="text/html",
                body="<p>Busy.</p>",
            )
        else:
            route.continue_()

    page.route("**/workshop/", be_busy_once)
    stop_clock(page)
    page.get_by_role("button", name="Save as a draft").click()
    expect(
        page.get_by_text("The site is busy. The upload is tried again in 1 seconds.")
    ).to_be_visible()
    page.clock.run_for(1000)
    expect(page.get_by_text("Saved: ['Kept', 'cover.jpg', 'plan.pdf'")).to_be_visible()
    assert sent == [True, True]


def test_files_that_are_too_large_together_are_kept_in_the_form(
    site: Site, browse: Browse
) -> None:
    page = open_form(browse(site.url))
    for label in ("Cover", "Portrait", "Plan"):
        choose(page, label, JPEG + bytes(8 * 1024**2))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The files are too large.")).to_be_visible()
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_focused()
    assert files(page) == {name: ["a.jpg"] for name in ("cover", "plan", "portrait")}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_input_shows_the_present_photo(scheme: str, site: Site, browse: Browse) -> None:
    assert site.visitor(OWNER).upload(JPEG).status == 302
    page = open_form(browse(site.url, color_scheme=scheme, **PHONE))
    expect(page.get_by_role("img", name="Present photo")).to_be_visible()
    expect(page.get_by_text("Waiting for review")).to_be_visible()
    check_accessibility(page)
    page.get_by_label("Remove this photo").check()
    choose(page, "Portrait", JPEG)
    expect(page.get_by_label("Remove this photo")).not_to_be_checked()
    expect(page.get_by_role("img", name="Preview")).to_be_visible()
    check_accessibility(page)

    site.python("Photo.objects.update(status='rejected', reason='Too dark')")
    page.goto("/workshop/")
    expect(page.get_by_role("img", name="Present photo")).to_have_count(0)
    expect(page.get_by_text("Not accepted")).to_be_visible()
    expect(page.get_by_text("Too dark")).to_be_visible()
    page.get_by_label("Action").fill("Removed")
    choose(page, "Cover", JPEG)
    choose(page, "Plan", JPEG)
    page.get_by_label("Remove this photo").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(
        page.get_by_text("Saved: ['Removed', 'a.jpg', 'a.jpg', False]")
    ).to_be_visible()
    site.python("Photo.objects.all().delete()")
