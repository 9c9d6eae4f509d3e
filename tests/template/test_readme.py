"""The emitted README's commands work exactly as written, on a machine with only uv."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    RUN_SECONDS,
    Project,
    clean_environment,
    commit,
    run,
)
from tests.support.browsing import Browse, chromium, log_in, open_person_menu, totp
from tests.support.images import camera_file, landscape
from tests.support.live import ADMIN, PASSWORD
from tests.support.readme import commands, development_port, terminate

pytestmark = pytest.mark.tier("whole")

URL = "http://localhost:8000"
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}}
# What a person does from an empty folder to a published photo, at most. `cd` is a
# command too.
COMMANDS, PAGES, CLICKS = 3, 9, 10


def available(terminal: int) -> str:
    """Return what a program wrote to its terminal, where getpass asks for passwords."""
    return (
        os.read(terminal, 4096).decode()
        if terminal >= 0 and select([terminal], [], [], 0)[0]
        else ""
    )


@contextmanager
def served(project: Path, command: str) -> Iterator[str]:
    """Run the command in a terminal, and create the administrator.

    Yield the start page once the server answers.
    """
    with (project / "server.log").open("w+", encoding="utf-8") as log:
        terminal, stdin = (
            (-1, subprocess.DEVNULL) if sys.platform == "win32" else os.openpty()
        )
        server = subprocess.Popen(
            command.split(),
            cwd=project,
            env=clean_environment(),
            stdin=stdin,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        answers = (
            {"Email:": ADMIN, "Password:": PASSWORD, "Password (again):": PASSWORD}
            if stdin >= 0
            else {}
        )
        try:
            deadline = time.monotonic() + RUN_SECONDS
            page, asked = None, ""
            while page is None:
                text = (project / "server.log").read_text(encoding="utf-8")
                if server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(text)
                asked += available(terminal)
                for question in list(answers)[:1]:
                    if any(it.rstrip().endswith(question) for it in (text, asked)):
                        os.write(terminal, f"{answers.pop(question)}\n".encode())
                with suppress(OSError):
                    page = urlopen(URL, timeout=5).read().decode()
                time.sleep(0.1)
            yield page
        finally:
            terminate(server)
            for end in {terminal, stdin} - {-1, subprocess.DEVNULL}:
                os.close(end)


@dataclass
class Visit:
    """A person in a browser, by mouse or by keyboard alone; count pages and clicks."""

    page: Page
    mouse: bool
    clicks: int = 0
    pages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Count every page that the browser shows."""
        self.page.on("framenavigated", lambda frame: self.pages.append(frame.url))

    def click(self, target: Locator) -> None:
        """Click on a link or a button, or move to it with Tab and press Enter."""
        self.clicks += 1
        if self.mouse:
            target.click()
            return
        self.move(target)
        self.page.keyboard.press("Enter")

    def move(self, target: Locator) -> None:
        """Move to an element with the Tab key."""
        expect(target).to_be_visible()
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if target.evaluate("element => element === document.activeElement"):
                return
        pytest.fail(f"the Tab key does not reach {target}")

    def type(self, label: str, text: str) -> None:
        """Fill in a field."""
        field = self.page.get_by_label(label, exact=True)
        if not self.mouse:
            if not field.evaluate("element => element === document.activeElement"):
                self.move(field)
            self.page.keyboard.type(text)
        field.fill(text)


def publish_the_first_photo(visit: Visit, email: str, title: str) -> None:
    """As a new administrator, set up a second factor, upload a photo and approve it."""
    page = visit.page
    page.goto("/")
    visit.click(page.get_by_role("banner").get_by_role("link", name="Log in"))
    visit.type("Email:", email)
    visit.type("Password:", PASSWORD)
    visit.click(page.get_by_role("button", name="Log in", exact=True))
    expect(page.get_by_text("Staff need a second factor")).to_be_visible()
    visit.click(page.get_by_role("link", name="Activate"))
    visit.type(
        "Authenticator code:",
        totp(page.get_by_label("Authenticator secret").input_value()),
    )
    visit.click(page.get_by_role("button", name="Activate"))
    expect(page.get_by_text("Authenticator app activated.")).to_be_visible()
    menu = page.locator("header").get_by_text("Menu", exact=True)
    if menu.is_visible():
        visit.click(menu)
    visit.click(
        page.get_by_role("banner").get_by_role("link", name="Upload", exact=True)
    )
    visit.type("Title:", title)
    photo = page.get_by_label("Photo")
    visit.clicks += 2  # opens the dialog of the browser, and chooses the file
    if not visit.mouse:
        visit.move(photo)
    photo.set_input_files(
        {
            "name": "a.jpg",
            "mimeType": "image/jpeg",
            "buffer": camera_file(landscape(4), "marker"),
        }
    )
    visit.click(page.get_by_role("button", name="Upload"))
    visit.click(
        page.get_by_role("listitem")
        .filter(has_text=title)
        .get_by_role("link", name="Review")
    )
    visit.click(page.get_by_role("button", name="Approve"))
    expect(page.get_by_text("Photos approved: 1.")).to_be_visible()


def walk(folder: Path, browse: Browse) -> None:
    """Go the whole way in four browsers, each as a new administrator, and count."""
    ways: list[tuple[dict[str, Any], bool]] = [
        (DESKTOP | {"color_scheme": "light"}, True),
        (PHONE | {"color_scheme": "dark", "java_script_enabled": False}, False),
        (DESKTOP | {"color_scheme": "dark", "java_script_enabled": False}, True),
        (PHONE | {"color_scheme": "light"}, False),
    ]
    for number, (options, mouse) in enumerate(ways):
        email = f"{number}@example.com" if number else ADMIN
        if number:
            admin = ["uv", "run", "poe", "admin", "--no-input"]
            run(
                folder,
                *admin,
                DJANGO_SUPERUSER_EMAIL=email,
                DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            )
        visit = Visit(browse(URL, **options), mouse)
        publish_the_first_photo(visit, email, f"First light {number}")
        visitor = browse(URL)
        expect(
            visitor.get_by_role("link", name=f"First light {number}")
        ).to_be_visible()
        assert len(visit.pages) <= PAGES, visit.pages
        is_phone = options["viewport"] == PHONE["viewport"]
        assert visit.clicks <= CLICKS + is_phone  # which opens the menu


@contextmanager
def started(folder: Path, heading: str) -> Iterator[None]:
    """Start a project by its README; the start page has a heading."""
    (start,) = commands(folder / "README.md", "Start")
    assert len(["uvx cookiecutter .", f"cd {folder.name}", start]) <= COMMANDS
    if sys.platform == "win32":  # it has no terminal for tests
        admin = ["uv", "run", "poe", "admin", "--no-input"]
        run(
            folder,
            *admin,
            DJANGO_SUPERUSER_EMAIL=ADMIN,
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
    with development_port(), served(folder, start) as page:
        assert f"<h1>{heading}</h1>" in page
        yield


def test_readme_commands_work(
    project: Project,
    request: pytest.FixtureRequest,
) -> None:
    folder = project(ALL_ON)
    with started(folder, "Gallery"):
        if chromium():  # otherwise only the commands are tested
            walk(folder, request.getfixturevalue("browse"))
    commit(folder)
    for command in commands(folder / "README.md", "Test, check, scan"):
        run(folder, *command.split())
    committed = run(folder, "git", "ls-files").splitlines()
    assert "uv.lock" in committed, "the README says to commit it"
    left = run(folder, "git", "status", "--porcelain")
    assert left == "", "the commands leave untracked files"


def test_smallest_project_starts_by_its_readme(
    project: Project,
    request: pytest.FixtureRequest,
) -> None:
    """CI's commands, and test_end_to_end.py, test and scan such projects."""
    folder = project(ALL_OFF)
    with started(folder, "My Secure Site"):
        if chromium():
            browse: Browse = request.getfixturevalue("browse")
            staff = browse(URL)
            log_in(staff, ADMIN)
            open_person_menu(staff).get_by_role("link", name="Admin").click()
            photos = staff.locator("#secure_django_photos-photo a").first
            expect(photos).to_be_visible()
