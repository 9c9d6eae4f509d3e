"""Chromium in front of a served project, with an eye on what the browser objects to, and what people do in it."""

import re
import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.live import PASSWORD
from tests.pictures import camera_file, landscape

type Browse = Callable[..., Page]

REPORT = """
document.addEventListener("securitypolicyviolation", (event) =>
  reportViolation(`${event.violatedDirective} ${event.blockedURI} at ${location.pathname}`));
"""


def chromium() -> str | None:
    """Return the path of this machine's Chromium, if it has one."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def launch(playwright: Playwright) -> Browser:
    """Start this machine's Chromium."""
    executable = chromium()
    if executable is None:
        pytest.skip("no Chromium on the path")
    # Root, as in CI's containers, has no sandbox.
    return playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a browser for all tests of a process."""
    with sync_playwright() as playwright:
        yield launch(playwright)


@pytest.fixture
def objections() -> list[str]:
    """Return what browsers object to during a test: violations of the policy, scripts' errors, other hosts."""
    return []


@pytest.fixture
def browse(browser: Browser, objections: list[str]) -> Iterator[Browse]:
    """Return a way to start at an address with a fresh browser; in the end, nobody may have objected to anything."""
    contexts = []

    def start(url: str, **options: Any) -> Page:  # noqa: ANN401
        def object_if(objectionable: bool, what: str) -> None:  # noqa: FBT001
            if objectionable:
                objections.append(what)

        context = browser.new_context(base_url=url, ignore_https_errors=True, **options)
        contexts.append(context)
        context.set_default_timeout(15_000)
        context.expose_binding("reportViolation", lambda _, text: objections.append(text))
        context.add_init_script(REPORT)
        context.on("weberror", lambda error: objections.append(str(error.error)))
        context.on("request", lambda request: object_if(not request.url.startswith(url), request.url))
        # Without scripts, the console alone tells of a violation.
        context.on("console", lambda message: object_if("Content Security" in message.text, message.text))
        page = context.new_page()
        page.goto("/")
        return page

    yield start
    for context in contexts:
        context.close()
    assert not objections


def log_in(page: Page, email: str) -> None:
    """Log in as people do."""
    page.get_by_role("link", name="Log in").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def fill_in(page: Page, title: str, content: bytes) -> None:
    """Open the upload page and fill its form in."""
    page.get_by_role("link", name="Upload", exact=True).click()
    page.get_by_label("Title").fill(title)
    page.get_by_label("Photo").set_input_files({"name": "holiday.jpg", "mimeType": "image/jpeg", "buffer": content})


def approve(page: Page, title: str) -> None:
    """Approve a photo in the administration, logged in as its staff."""
    page.get_by_role("link", name="Admin").click()
    page.get_by_role("link", name="Photos", exact=True).click()
    page.get_by_role("row", name=title).get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option(label="Approve selected photos")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text(re.compile(r"^1 photos? approved"))).to_be_visible()


def publish(owner: Page, staff: Page, anybody: Page, title: str) -> None:
    """Walk a photo from a camera to everybody: `owner` uploads, `staff` approves, `anybody` gets it, freed of metadata.

    The first two are logged in and may be the same.
    """
    fill_in(owner, title, camera_file(landscape(4), "Private-Marker", orientation=6))
    owner.get_by_role("button", name="Upload").click()
    photo = owner.get_by_role("listitem").filter(has_text=title)
    expect(photo).to_contain_text("Waiting for review")
    anybody.reload()
    expect(anybody.get_by_text(title)).to_have_count(0)

    approve(staff, title)
    owner.goto("/photos/mine/")
    expect(photo).to_contain_text("Published")
    anybody.reload()
    anybody.get_by_role("link", name=title).click()
    picture = anybody.get_by_role("img", name=title)
    expect(picture).to_be_visible()

    file = anybody.request.get(picture.get_attribute("src") or "").body()
    assert b"Private-Marker" not in file
    shown = Image.open(BytesIO(file))
    assert not shown.getexif()
    assert set(shown.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert shown.height > shown.width, "the camera was held upright"
