"""Takes the README's pictures from a generated project that really runs: `uv run python -m docs.pictures`."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from urllib.parse import urljoin

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import generated
from tests.baking import ALL_OFF
from tests.browsing import chromium, log_in
from tests.live import ADMIN, OWNER, serve
from tests.pictures import encode, landscape

IMAGES = Path(__file__).parent / "images"
TITLES = ["Harbour at noon", "First snow", "Above the clouds", "Evening by the lake", "Dunes", "The pass"]
WAITING = ["Low tide", "After the rain"]
HEIGHT = 640


@contextmanager
def visit(browser: Browser, url: str, *, who: str = "", scheme: str = "light", width: int = 1000) -> Iterator[Page]:
    """Open a page of the site, logged in when an address is given."""
    context = browser.new_context(
        ignore_https_errors=True,
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    if who:
        page.goto(urljoin(url, "/"))
        log_in(page, who)
    page.goto(url)
    yield page
    context.close()


def take(page: Page, name: str) -> None:
    """Write what the page shows, in few enough colours for a small file."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Fill a site with photos and take its pictures."""
    IMAGES.mkdir(exist_ok=True)
    with generated(ALL_OFF) as project, serve(project) as site, sync_playwright() as playwright:
        owner = site.visitor(OWNER)
        for seed, title in enumerate(TITLES + WAITING):
            owner.upload(encode(landscape(seed, (1200, 900), grain=0)), title=title)
        site.python(f"Photo.objects.filter(title__in={TITLES}).update(status='approved')")
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            with visit(browser, site.url + "/", scheme=scheme) as page:
                take(page, f"gallery-{scheme}")
        with visit(browser, site.url + "/photos/upload/", who=OWNER) as page:
            page.get_by_label("Title").fill("Low tide")
            content = encode(landscape(6, (1200, 900), grain=0))
            page.get_by_label("Photo").set_input_files({"name": "t.jpg", "mimeType": "image/jpeg", "buffer": content})
            page.get_by_role("img", name="Preview").wait_for()
            take(page, "upload")
        with visit(browser, site.url + "/photos/mine/", who=OWNER, scheme="dark") as page:
            take(page, "mine")
        with visit(browser, site.url + "/admin/uploads/photo/", who=ADMIN, width=1280) as page:
            take(page, "review")
        browser.close()


if __name__ == "__main__":
    main()
