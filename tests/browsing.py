"""Chromium in front of a served project, with an eye on what the browser objects to."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

type Browse = Callable[..., Page]

REPORT = """
document.addEventListener("securitypolicyviolation", (event) =>
  reportViolation(`${event.violatedDirective} ${event.blockedURI} at ${location.pathname}`));
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return the Chromium of this machine."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium on the path")
    with sync_playwright() as playwright:
        # Root, as in CI's containers, has no sandbox.
        yield playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])


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
