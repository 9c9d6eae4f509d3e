"""Take pictures of a project's pages, in both color schemes."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser, sync_playwright

from tests.support.baking import clean_environment
from tests.support.browsing import launch
from tests.support.readme import terminate
from tests.support.recipes import Installed

SIZE = {"width": 1280, "height": 800}
PORT = 8765
START_SECONDS = 60


@contextmanager
def serve(project: Installed) -> Iterator[str]:
    """Run a project for development; yield its URL."""
    command = ["uv", "run", "--no-sync", "python", "manage.py", "runserver"]
    command += ["--noreload", str(PORT)]
    url = f"http://localhost:{PORT}"
    server = subprocess.Popen(
        command,
        cwd=project.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(url)
        yield url
    finally:
        terminate(server)


def wait_for(url: str) -> None:
    """Return when the server answers, or raise TimeoutError."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError), urlopen(url, timeout=5):  # noqa: S310 - this machine
            return
        time.sleep(0.2)
    raise TimeoutError(url)


def take(url: str, pages: dict[str, str], folder: Path) -> None:
    """Write two pictures of each page, by the names of the files."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for path, name in pages.items():
            for scheme in ("light", "dark"):
                take_one(
                    browser, f"{url}{path}", scheme, folder / f"{name}-{scheme}.png"
                )


def take_one(browser: Browser, url: str, scheme: str, file: Path) -> None:
    """Write a picture of a page in a color scheme, "light" or "dark"."""
    page = browser.new_page(viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    page.screenshot(path=file)
    page.close()
