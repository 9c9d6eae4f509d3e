"""Chromium that reports policy violations and script errors, and shared steps."""

import base64
import hashlib
import hmac
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.resources import files
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    Error,
    Locator,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from tests.support.images import camera_file, landscape
from tests.support.live import HANG_SECONDS, PASSWORD

type Browse = Callable[..., Page]

NETWORK_CHANGES = 5  # while one page is opened, at most
NETWORK_CHANGED = ("ERR_NETWORK_CHANGED", "chrome-error://")

REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  reportViolation(
    `${event.violatedDirective} ${event.blockedURI} at ${location.pathname}`));
"""

HANG_MILLISECONDS = 1000 * HANG_SECONDS
expect.set_options(timeout=HANG_MILLISECONDS)

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
# Returns "seen" while the Tab key moves a visible focus, and "" at the page's end.
FOCUSED = """() => {
  const at = document.activeElement;
  at.dataset.reached = true;
  if (at === document.body) return "";
  const visible = getComputedStyle(at).outlineStyle !== "none";
  return visible ? "seen" : `unseen: ${at.outerHTML}`;
}"""
# The header, the sides of its parts, and what stands between it and the heading.
HEADER = """() => {
  const header = document.querySelector("header");
  const heading = document.querySelector("h1");
  const parts = [...header.querySelectorAll(".brand, nav > a, summary, .main li > a")]
    .filter((part) => part.checkVisibility() && !part.closest("[open] > ul"));
  const lowest = header.getBoundingClientRect().bottom;
  const highest = heading.getBoundingClientRect().top;
  const between = [...document.querySelectorAll("main *")]
    .filter((part) => part.checkVisibility() && !part.contains(heading))
    .filter((part) => !part.closest("[role=status]"))
    .filter((part) => part.getBoundingClientRect().bottom <= highest)
    .filter((part) => part.getBoundingClientRect().bottom > lowest);
  return {
    height: header.offsetHeight,
    parts: parts.map((part) => part.getBoundingClientRect())
      .map((box) => [box.left, box.right]),
    between: between.map((part) => part.outerHTML),
  };
}"""
UNREACHED = """() => [...document.querySelectorAll(
    "a[href], button, input, select, textarea, summary")]
  .filter((element) => element.checkVisibility() && !element.disabled)
  .filter((element) => element.type !== "hidden")
  .filter((element) => !element.dataset.reached)
  .map((element) => element.outerHTML)"""


# Returns each text whose contrast with what is behind it is below 4.5 to 1.
UNREADABLE = """() => {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  const parse = (color) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  };
  const linear = (value) =>
    value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([red, green, blue]) =>
    0.2126 * linear(red / 255) + 0.7152 * linear(green / 255)
    + 0.0722 * linear(blue / 255);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return parse("canvas");
  };
  const contrast = (element) => {
    const text = luminance(parse(getComputedStyle(element).color));
    const back = luminance(behind(element));
    return (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
  };
  return [...document.querySelectorAll("body :not(script, style, option)")]
    .filter((element) => [...element.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
    .filter((element) => element.checkVisibility() && !element.disabled)
    .filter((element) => contrast(element) < 4.5)
    .map((element) => `${contrast(element).toFixed(1)}: ${element.outerHTML}`);
}"""


def chromium() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def launch(playwright: Playwright) -> Browser:
    """Start the installed Chromium."""
    executable = chromium()
    if executable is None:
        pytest.skip("Chromium is not installed")
    # Chromium's sandbox does not work for root, as in CI's containers.
    return playwright.chromium.launch(
        executable_path=executable, args=["--no-sandbox"], timeout=HANG_MILLISECONDS
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser that the tests of a module share.

    While it runs, so does an event loop, in which Django refuses the queries of tests.
    """
    with sync_playwright() as playwright:
        yield launch(playwright)


@pytest.fixture
def violations() -> list[str]:
    """Return the problems: CSP violations, script errors, requests to other hosts."""
    return []


@pytest.fixture
def browse(browser: Browser, violations: list[str]) -> Iterator[Browse]:
    """Return a function that opens a URL in a new context; fail on any violation."""
    contexts = []

    def start(url: str, **options: Any) -> Page:  # noqa: ANN401
        def record_if(violated: bool, what: str) -> None:  # noqa: FBT001
            if violated:
                violations.append(what)

        context = browser.new_context(base_url=url, ignore_https_errors=True, **options)
        contexts.append(context)
        context.set_default_timeout(HANG_MILLISECONDS)
        context.expose_binding(
            "reportViolation", lambda _, text: violations.append(text)
        )
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("weberror", lambda error: violations.append(str(error.error)))
        context.on(
            "request",
            lambda request: record_if(not request.url.startswith(url), request.url),
        )
        # With JavaScript switched off, only the console reports a violation.
        context.on(
            "console",
            lambda message: record_if("Content Security" in message.text, message.text),
        )
        page = context.new_page()
        page.goto = partial(  # type: ignore[method-assign]
            go_to, page, page.goto, violations
        )
        page.goto("/")
        return page

    yield start
    for context in contexts:
        context.close()
    assert not violations


def go_to(
    page: Page,
    goto: Callable[..., Any],
    violations: list[str],
    url: str,
    **options: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Open a URL, and again if a network of the machine changed meanwhile.

    Chromium then ends its connections, such as while another test starts containers.
    It shows the page without its styles, or a page of its own, whose inline style the
    policy of the URL may forbid.
    """
    seen = len(violations)
    ended: list[str] = []

    def record(request: Request) -> None:
        if any(text in (request.failure or "") for text in NETWORK_CHANGED):
            ended.append(request.url)

    page.on("requestfailed", record)
    for _ in range(NETWORK_CHANGES):
        ended.clear()
        try:
            response = goto(url, **options)
            if not ended:
                return response
        except Error as error:
            if not any(text in error.message for text in NETWORK_CHANGED):
                raise
            page.wait_for_load_state()
            del violations[seen:]
    return goto(url, **options)


def log_in(page: Page, email: str) -> None:
    """Log in through the log-in page."""
    page.get_by_role("banner").get_by_role("link", name="Log in").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect_logged_in(page)


def check_header(page: Page) -> None:
    """Check that one row stands above the heading, besides messages, and fits."""
    header = page.evaluate(HEADER)
    assert header["height"] <= 64, header
    assert header["between"] == [], header
    rights = [0.0]
    for left, right in header["parts"]:
        assert rights[-1] <= left + 1, header
        rights.append(right)
    assert rights[-1] <= page.evaluate("innerWidth"), header
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def expect_logged_in(page: Page) -> None:
    """Wait for a page with the menu of the person."""
    expect(page.locator("header .person")).to_be_visible()


def open_person_menu(page: Page) -> Locator:
    """Open the menu of the person who is logged in, and return it."""
    menu = page.locator("header .person")
    menu.locator("summary").click()
    expect(menu.get_by_role("button", name="Log out")).to_be_visible()
    return menu


def fill_in(page: Page, title: str, content: bytes) -> None:
    """Open the upload page and fill in its form."""
    page.get_by_role("link", name="Upload", exact=True).click()
    page.get_by_label("Title").fill(title)
    page.get_by_label("Photo").set_input_files(
        {"name": "holiday.jpg", "mimeType": "image/jpeg", "buffer": content}
    )


def stop_clock(page: Page) -> None:
    """Stop the clock of a page, whose timers wait until it is moved (`run_for`)."""
    page.clock.install()
    page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))


def approve(page: Page, title: str) -> None:
    """Approve a photo in the admin; `page` belongs to a logged-in reviewer."""
    open_person_menu(page).get_by_role("link", name="Admin").click()
    page.locator("#secure_django_photos-photo a").first.click()
    page.get_by_role("row", name=title).get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option(label="Approve selected photos")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("Photos approved: 1.")).to_be_visible()


def totp(secret: str) -> str:
    """Return the code of an authenticator app, which is valid for 15 seconds or more.

    A form takes a fraction of one.
    """
    age = time.time() % 30
    if age > 15:
        time.sleep(30 - age)
    digest = hmac.digest(
        base64.b32decode(secret),
        struct.pack(">Q", int(time.time()) // 30),
        hashlib.sha1,
    )
    (value,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(value & 0x7FFFFFFF) % 10**6:06}"


def add_authenticator_app(page: Page) -> str:
    """Set up an authenticator app and return its secret."""
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.get_by_label("Authenticator secret").input_value()
    page.get_by_label("Authenticator code").fill(totp(secret))
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("Authenticator app activated")).to_be_visible()
    return secret


def publish(owner: Page, staff: Page, visitor: Page, title: str) -> None:
    """Publish a photo and check that `visitor` sees it without metadata.

    `owner` uploads and `staff` approves. Both are logged in and may be the same page.
    """
    fill_in(owner, title, camera_file(landscape(4), "Private-Marker", orientation=6))
    owner.get_by_role("button", name="Upload").click()
    photo = owner.get_by_role("listitem").filter(has_text=title)
    expect(photo).to_contain_text("Waiting for review")
    visitor.reload()
    expect(visitor.get_by_text(title)).to_have_count(0)

    approve(staff, title)
    owner.goto("/photos/mine/")
    expect(photo).to_contain_text("Approved")
    visitor.reload()
    visitor.get_by_role("link", name=title).click()
    image = visitor.get_by_role("img", name=title)
    expect(image).to_be_visible()

    file = visitor.request.get(image.get_attribute("src") or "").body()
    assert b"Private-Marker" not in file
    shown = Image.open(BytesIO(file))
    assert not shown.getexif()
    assert set(shown.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert shown.height > shown.width, "the EXIF orientation is applied"


def check_with_axe(page: Page) -> None:
    """Check a page as it is shown now, such as the contrast of its texts."""
    page.evaluate(AXE)
    rules = 'axe.run({rules: {"target-size": {enabled: true}}})'
    found = page.evaluate(rules)["violations"]
    assert not found, [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in found
    ]


def check_readable(page: Page) -> None:
    """Check that each text is readable, and that the page is not wider than it."""
    assert page.evaluate(UNREADABLE) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("innerWidth"), f"{page.url} is {width} pixels wide"


def check_accessibility(page: Page) -> None:
    """Check a page with axe, its width, and a visible Tab focus on every control."""
    check_with_axe(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("innerWidth"), f"the page is {width} pixels wide"

    for _ in range(2):  # twice, for pages that set the focus themselves
        focus = "seen"
        while focus == "seen":
            page.keyboard.press("Tab")
            focus = page.evaluate(FOCUSED)
        assert not focus
    assert not page.evaluate(UNREACHED)
