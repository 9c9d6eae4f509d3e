"""Take the screenshots of the documents, for docs/images/.

    uv run python -m benchmarks.screenshots
    uv run python -m benchmarks.screenshots --example

The second takes those of the product of docs/tutorial.md, which it builds first.
"""

import argparse
import json
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import generated
from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    ROOT,
    SUITE_SECONDS,
    commit,
    copy_template,
    run,
    run_within,
)
from tests.support.browsing import launch, log_in
from tests.support.evidence import compare_fleet, write_fleet
from tests.support.images import encode, landscape
from tests.support.live import CREATE_USERS, OWNER, Site, serve
from tests.support.tutorial import build

IMAGES = ROOT / "docs" / "images"
DOCS = ROOT / "{{cookiecutter.project_slug}}" / "docs"
MAX_BYTES = 150_000
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NAMES = {"project_name": "Far Hills", "project_slug": "my-secure-site"}
DESCRIPTION = "Courses in the mountains, from April to October."
FIELDS = (
    "start:date",
    "price:decimal",
    "level:choice:beginner,advanced",
    "cover:photo",
)
COURSES = [
    ("Snow and stars", "2027-10-09", 480, "advanced"),
    ("Along the ridge", "2027-07-03", 390, "advanced"),
    ("First steps on ice", "2027-05-15", 260, "beginner"),
    ("Three huts in three days", "2027-06-12", 340, "beginner"),
]
COVERS = [4, 3, 1, 5]

# The last cover is not decided.
FILL_APP = """
from datetime import timedelta
from pathlib import Path
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from secure_django.photos.services import review_photo
from courses.forms import CourseForm
from courses.models import Course
owner = User.objects.get(email="owner@example.com")
owner.name = "Ada Lovelace"
owner.save()
reviewer = User.objects.get(is_superuser=True)
cover = SimpleUploadedFile("cover.jpg", Path({cover!r}).read_bytes())
form = CourseForm({data}, {{"cover": cover}}, instance=Course(owner=owner), owner=owner)
assert form.is_valid(), form.errors
course = form.save()
created_at = timezone.now() - timedelta(days={age})
Course.objects.filter(pk=course.pk).update(created_at=created_at)
if {age} > 1:
    review_photo(course.cover, reviewer, "approved")
"""
# The teacher of the example, and the last course, whose form is shown.
FILL_EXAMPLE = """
from courses.models import Course
owner = User.objects.get(email="owner@example.com")
owner.emailaddress_set.create(email=owner.email, verified=True, primary=True)
owner.name = "Ann Berg"
owner.save()
Course.objects.filter(title={title!r}).update(
    level="beginner", text="Two days on the ridge, with a night in a hut."
)
"""


def save(page: Page, name: str, *, is_whole: bool = False) -> None:
    """Write a screenshot of a page, or of what the window shows, as a small PNG."""
    page.wait_for_load_state("networkidle")
    shot = Image.open(BytesIO(page.screenshot(full_page=is_whole))).convert("RGB")
    image = encode(
        shot.quantize(palette=shot.quantize(256), dither=Image.Dither.FLOYDSTEINBERG),
        "PNG",
        optimize=True,
    )
    if len(image) > MAX_BYTES:
        message = f"{name}.png is too large: {len(image):,} bytes"
        raise ValueError(message)
    (IMAGES / f"{name}.png").write_bytes(image)
    print(f"{name}.png: {len(image):,} bytes")


def add_app(project: Path) -> None:
    """Make an app whose objects have a cover, as docs/your-first-app.md says."""
    command = ("poethepoet", "--executor", "simple", "app", "courses")
    run(project, sys.executable, "-m", *command, *FIELDS)


def fill_app(site: Site, folder: Path) -> None:
    """Add courses by the app's form; the cover of the first in the list waits."""
    folder.mkdir()
    for number, course in enumerate(COURSES):
        cover = folder / f"{number}.jpg"
        cover.write_bytes(encode(landscape(COVERS[number], (1200, 900)), quality=90))
        data = dict(zip(("title", "start", "price", "level"), course, strict=True))
        age = len(COURSES) - number
        site.python(FILL_APP.format(data=data, cover=str(cover), age=age))


def take_design(page: Page, scheme: str) -> None:
    """Take the picture of docs/design.md: the first design, and the page's example."""
    guide = (DOCS / "design.md").read_text(encoding="utf-8")
    example = guide.partition("```css\n")[2].partition("```")[0]
    logo = quote((DOCS.parent / "static" / "favicon.svg").read_text(encoding="utf-8"))
    example = example.replace("logo.svg", f"data:image/svg+xml,{logo}")
    page.set_viewport_size({"width": 640, "height": 560})
    page.goto("/accounts/login/")
    halves = []
    for rules in ("", example):
        page.add_style_tag(content=f":root {{ {rules} }}")
        page.wait_for_load_state("networkidle")
        halves.append(Image.open(BytesIO(page.screenshot())).convert("RGB"))
    both = Image.new("RGB", (1280, 560))
    for number, half in enumerate(halves):
        both.paste(half, (640 * number, 0))
    if scheme == "light":
        both.save(DOCS / "design.webp", quality=75)


def take_app(page: Page, scheme: str) -> None:
    """Take the screenshot of an app: its list."""
    page.set_viewport_size({"width": 1120, "height": 640})
    page.goto("/")
    log_in(page, OWNER)
    page.goto("/courses/")
    save(page, f"app-{scheme}")


def take_example(page: Page, scheme: str) -> None:
    """Take the screenshots of the product of the tutorial, whose brand is its own."""
    page.set_viewport_size({"width": 1120, "height": 640})
    page.goto("/courses/catalog/")
    save(page, f"example-catalog-{scheme}")
    page.set_viewport_size({"width": 1120, "height": 1000})
    page.get_by_role("link", name=COURSES[1][0]).click()
    save(page, f"example-course-{scheme}")
    log_in(page, OWNER)
    page.set_viewport_size({"width": 1120, "height": 640})
    page.goto("/")
    save(page, f"example-start-{scheme}")
    page.goto("/courses/")
    page.get_by_role("link", name=COURSES[1][0]).click()
    page.get_by_role("link", name="Edit").click()
    page.set_viewport_size({"width": 1120, "height": 1180})
    save(page, f"example-form-{scheme}")


def take_evidence(browser: Browser, project: Path) -> None:
    """Take the pictures of docs/evidence.md: fifty projects, derived from a real one.

    Its tests have run.
    """
    report = project / "reports" / "controls.json"
    evidence = json.loads(report.read_text(encoding="utf-8"))
    with TemporaryDirectory() as folder:
        write_fleet(Path(folder), evidence)
        compare_fleet(Path(folder))
        for scheme in SCHEMES:
            page = browser.new_page(color_scheme=scheme)
            page.set_viewport_size({"width": 1060, "height": 900})
            page.goto(Path(folder, "evidence.html").as_uri())
            save(page, f"evidence-{scheme}")


def take(site: Site, browser: Browser, pages: Callable[[Page, str], None]) -> None:
    """Take screenshots in the light and the dark color scheme."""
    for scheme in SCHEMES:
        context = browser.new_context(
            base_url=site.url,
            ignore_https_errors=True,
            color_scheme=scheme,
            bypass_csp=pages is take_design,  # it adds styles to the page
        )
        pages(context.new_page(), scheme)


def show_example(browser: Browser) -> None:
    """Build the product of the tutorial, and take its screenshots."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        project = build(copy_template(folder / "template"), folder).folder
        serve_example(project, browser)


def serve_example(project: Path, browser: Browser) -> None:
    """Fill a product that is built, and take its screenshots."""
    with serve(project, CREATE_USERS) as site:
        fill_app(site, project.parent / "covers")
        site.python(FILL_EXAMPLE.format(title=COURSES[1][0]))
        take(site, browser, take_example)


def main() -> None:
    """Generate and serve projects, and take their screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--example", action="store_true", help="only the example's")
    is_example = parser.parse_args().example
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if is_example:
            show_example(browser)
            return
        with generated(ALL_OFF | NAMES | {"description": DESCRIPTION}) as project:
            add_app(project)
            with serve(project, CREATE_USERS) as site:
                fill_app(site, project.parent / "covers")
                take(site, browser, take_app)
                take(site, browser, take_design)
        with generated(ALL_ON) as project:
            commit(project, "Start")
            command = (sys.executable, "-m", "pytest", "-q", "-n", "auto")
            run_within(SUITE_SECONDS, project, command, {})
            take_evidence(browser, project)


if __name__ == "__main__":
    main()
