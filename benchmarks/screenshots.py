"""Take the README's screenshots of a running project, and write them to docs/images/."""

from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import generated
from tests.support.baking import ROOT, WITH_GALLERY
from tests.support.browsing import fill_in, launch, log_in
from tests.support.images import encode, landscape
from tests.support.live import ADMIN, CREATE_USERS, Site, serve

IMAGES = ROOT / "docs" / "images"
MAX_BYTES = 150_000
SITE = WITH_GALLERY | {"project_name": "Far Hills", "project_slug": "my-secure-site"}
TITLES = [
    "First frost",
    "Above the river",
    "After the storm",
    "The long meadow",
    "Harbor lights",
    "Copper evening",
    "Fog in October",
    "Before sunrise",
]
WAITING = ["Two valleys", "Noon", "The last ferry"]

# The photos are a day or an hour apart.
FILL = """
from datetime import timedelta
from pathlib import Path
from django.utils import timezone
from gallery.apps import GALLERY
from uploads.images import validate_and_reencode
from uploads.services import review_photo
from uploads.tests.photos import create_photo
owner = User.objects.get(email="owner@example.com")
for number, path in enumerate(sorted(Path({folder!r}).iterdir())):
    image = validate_and_reencode(path.read_bytes(), "a.jpg")
    photo = create_photo(owner, GALLERY, image)
    shown = number < {shown}
    age = timedelta(days=2 + number) if shown else timedelta(hours=1 + number)
    Photo.objects.filter(pk=photo.pk).update(title=path.stem[3:], created_at=timezone.now() - age)
    if shown:
        review_photo(photo, User.objects.get(is_superuser=True), "approved")
"""


def fill(site: Site, folder: Path) -> None:
    """Add photos to the site; the last ones wait for review."""
    folder.mkdir()
    for number, title in enumerate(TITLES + WAITING):
        (folder / f"{number:02} {title}.jpg").write_bytes(encode(landscape(number, (1200, 900)), quality=90))
    site.python(FILL.format(folder=str(folder), shown=len(TITLES)))


def save(page: Page, name: str) -> None:
    """Write a screenshot of a page as a small PNG."""
    page.wait_for_load_state("networkidle")
    shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
    image = encode(shot.quantize(palette=shot.quantize(256), dither=Image.Dither.FLOYDSTEINBERG), "PNG", optimize=True)
    if len(image) > MAX_BYTES:
        message = f"{name}.png is too large: {len(image):,} bytes"
        raise ValueError(message)
    (IMAGES / f"{name}.png").write_bytes(image)
    print(f"{name}.png: {len(image):,} bytes")


def take(site: Site, browser: Browser) -> None:
    """Take all screenshots, in the light and the dark color scheme."""
    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    for scheme in schemes:
        context = browser.new_context(base_url=site.url, ignore_https_errors=True, color_scheme=scheme)
        page = context.new_page()
        page.set_viewport_size({"width": 1120, "height": 700})
        page.goto("/")
        save(page, f"gallery-{scheme}")
        log_in(page, ADMIN)
        page.set_viewport_size({"width": 1120, "height": 920})
        fill_in(page, "Across the bay", encode(landscape(13, (1200, 900))))
        page.get_by_role("img", name="Preview").wait_for()
        save(page, f"upload-{scheme}")
        page.set_viewport_size({"width": 1400, "height": 700})
        page.goto("/admin/uploads/photo/")
        save(page, f"review-{scheme}")
        page.get_by_role("link", name=WAITING[-1]).first.click()
        page.set_viewport_size({"width": 1280, "height": 800})
        save(page, f"decision-{scheme}")


def main() -> None:
    """Generate and serve a project, and take its screenshots."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with generated(SITE) as project, serve(project, CREATE_USERS) as site, sync_playwright() as playwright:
        fill(site, project.parent / "photos")
        take(site, launch(playwright))


if __name__ == "__main__":
    main()
