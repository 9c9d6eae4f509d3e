"""Takes the README's pictures of a really running project, into docs/images/."""

from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import generated
from tests.baking import ALL_OFF, ROOT
from tests.browsing import fill_in, launch, log_in
from tests.live import ADMIN, PEOPLE, Site, serve
from tests.pictures import encode, landscape

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150_000
SITE = ALL_OFF | {"project_name": "Far Hills", "project_slug": "my-secure-site"}
TITLES = [
    "First frost",
    "Above the river",
    "After the storm",
    "The long meadow",
    "Harbour lights",
    "Copper evening",
    "Fog in October",
    "Before sunrise",
]
WAITING = ["Two valleys", "Noon", "The last ferry"]

# A day and an hour apart, as if people had come by.
FILL = """
from datetime import timedelta
from pathlib import Path
from django.utils import timezone
from uploads.images import sanitize
owner = User.objects.get(email="owner@example.com")
for number, path in enumerate(sorted(Path({folder!r}).iterdir())):
    with path.open("rb") as file:
        photo = Photo.objects.accept(owner, path.stem[3:], "photo.jpg", sanitize(file, "a.jpg", path.stat().st_size))
    shown = number < {shown}
    age = timedelta(days=2 + number) if shown else timedelta(hours=1 + number)
    Photo.objects.filter(pk=photo.pk).update(created_at=timezone.now() - age)
    if shown:
        photo.record({{"manual": "approved"}}, by=User.objects.get(is_superuser=True))
"""


def fill(site: Site, folder: Path) -> None:
    """Give the site photos: most are published, the last ones wait."""
    folder.mkdir()
    for number, title in enumerate(TITLES + WAITING):
        (folder / f"{number:02} {title}.jpg").write_bytes(encode(landscape(number, (1200, 900)), quality=90))
    site.python(FILL.format(folder=str(folder), shown=len(TITLES)))


def keep(page: Page, name: str) -> None:
    """Write what a page shows as a PNG that is light enough for a README."""
    page.wait_for_load_state("networkidle")
    shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
    picture = encode(
        shot.quantize(palette=shot.quantize(256), dither=Image.Dither.FLOYDSTEINBERG), "PNG", optimize=True
    )
    if len(picture) > MOST_BYTES:
        message = f"{name}.png is too heavy: {len(picture):,} bytes"
        raise ValueError(message)
    (IMAGES / f"{name}.png").write_bytes(picture)
    print(f"{name}.png: {len(picture):,} bytes")


def take(site: Site, browser: Browser) -> None:
    """Walk through the site and take its pictures, as somebody who likes it light and as somebody who likes it dark."""
    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    for scheme in schemes:
        context = browser.new_context(base_url=site.url, ignore_https_errors=True, color_scheme=scheme)
        page = context.new_page()
        page.set_viewport_size({"width": 1120, "height": 700})
        page.goto("/")
        keep(page, f"gallery-{scheme}")
        log_in(page, ADMIN)
        page.set_viewport_size({"width": 1120, "height": 860})
        fill_in(page, "Across the bay", encode(landscape(13, (1200, 900))))
        page.get_by_role("img", name="Preview").wait_for()
        keep(page, f"upload-{scheme}")
        page.set_viewport_size({"width": 1400, "height": 700})
        page.goto("/admin/uploads/photo/")
        keep(page, f"review-{scheme}")


def main() -> None:
    """Generate, serve, fill and photograph a project."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with generated(SITE) as project, serve(project, PEOPLE) as site, sync_playwright() as playwright:
        fill(site, project.parent / "photos")
        take(site, launch(playwright))


if __name__ == "__main__":
    main()
