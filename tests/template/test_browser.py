"""Upload and review in Chromium: without JavaScript too, by keyboard, on a phone."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.baking import ALL_OFF, Project
from tests.support.browsing import (
    Browse,
    check_accessibility,
    check_header,
    check_readable,
    fill_in,
    log_in,
    publish,
)
from tests.support.images import camera_file, encode, landscape
from tests.support.live import ADMIN, OTHER_USER, OWNER, Site, serve

pytestmark = pytest.mark.tier("whole")

PHONE = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
SMALL_PHONE = PHONE | {"viewport": {"width": 390, "height": 844}}
QUEUE = "/admin/secure_django_photos/photo/"
PUBLIC_PAGES = ["/", "/accounts/login/", "/accounts/password/reset/", "/missing/"]
OWN_PAGES = ["/photos/upload/", "/photos/mine/", "/accounts/password/change/"]


@pytest.mark.parametrize(
    "options",
    [{}, {"java_script_enabled": False}],
    ids=["with JavaScript", "without JavaScript"],
)
def test_photo_is_uploaded_reviewed_and_published(
    options: dict[str, Any], site: Site, browse: Browse
) -> None:
    owner, staff, visitor = (browse(site.url, **options) for _ in range(3))
    log_in(owner, OWNER)
    log_in(staff, ADMIN)
    publish(owner, staff, visitor, f"Evening {len(options)}")


def test_upload_shows_a_preview_and_its_progress(site: Site, browse: Browse) -> None:
    page = browse(site.url)
    log_in(page, OWNER)
    fill_in(page, "Slowly", camera_file(landscape(3, (2400, 1800)), "marker"))
    preview = page.get_by_role("img", name="Preview")
    expect(preview).to_be_visible()
    assert (
        preview.evaluate(
            "canvas => new Set("
            "canvas.getContext('2d').getImageData(0, 0, 64, 64).data).size"
        )
        > 3
    )

    network = page.context.new_cdp_session(page)
    conditions = {
        "offline": False,
        "latency": 0,
        "downloadThroughput": -1,
        "uploadThroughput": 50_000,
    }
    network.send("Network.emulateNetworkConditions", conditions)
    page.get_by_role("button", name="Upload").click()
    progress = page.get_by_role("progressbar", name="Upload")
    expect(progress).to_be_visible()
    page.wait_for_function(
        "bar => bar.value > 0.1 && bar.value < 0.9", arg=progress.element_handle()
    )
    expect(page.get_by_role("status").last).to_contain_text("% sent")
    network.send(
        "Network.emulateNetworkConditions", conditions | {"uploadThroughput": -1}
    )
    expect(page.get_by_role("heading", name="My photos")).to_be_visible()
    expect(page.get_by_text("Your photo was uploaded.")).to_be_visible()


def test_upload_can_be_canceled(site: Site, browse: Browse) -> None:
    page = browse(site.url)
    log_in(page, OWNER)
    fill_in(page, "Never", camera_file(landscape(3, (2400, 1800)), "marker"))
    network = page.context.new_cdp_session(page)
    conditions = {
        "offline": False,
        "latency": 0,
        "downloadThroughput": -1,
        "uploadThroughput": 100_000,
    }
    network.send("Network.emulateNetworkConditions", conditions)
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status").last).to_have_text("Upload canceled.")
    expect(page.get_by_role("button", name="Upload")).to_be_enabled()


def test_large_file_is_rejected_by_browser_and_server(
    site: Site, browse: Browse
) -> None:
    page = browse(site.url)
    log_in(page, OWNER)
    fill_in(page, "Large", b"x" * (11 * 1024**2))
    photo, status = page.get_by_label("Photo"), page.get_by_role("status").first
    expect(status).to_have_text("This file is larger than the limit of 10\xa0MB.")
    expect(photo).to_have_attribute("aria-invalid", "true")
    expect(photo).to_be_focused()
    posted = []
    page.on("request", lambda request: posted.append(request.url))
    page.get_by_role("button", name="Upload").click()
    page.wait_for_timeout(500)
    assert not posted
    photo.set_input_files(
        {
            "name": "good.jpg",
            "mimeType": "image/jpeg",
            "buffer": encode(landscape(1, (64, 48))),
        }
    )
    expect(status).to_have_text("")
    expect(photo).to_have_attribute("aria-invalid", "false")

    fill_in(page, "Large", b"x" * (11 * 1024**2))
    photo.evaluate("input => input.setCustomValidity('')")
    page.get_by_role("button", name="Upload").click()
    expect(
        page.get_by_text("This file is too large. The limit is 10 MB")
    ).to_be_visible()
    expect(page.get_by_label("Title")).to_have_value("Large")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_at_phone_width(
    scheme: str, site: Site, browse: Browse
) -> None:
    owner = site.visitor(OTHER_USER)
    for title in ("W" * 120, "Public"):
        assert owner.upload(encode(landscape(5, (640, 480))), title=title).status == 302
    site.python("Photo.objects.filter(title='Public').update(status='approved')")
    photo = site.python(
        "print(Photo.objects.filter(title='Public')[0].get_absolute_url())"
    ).strip()

    visitor, person = (browse(site.url, color_scheme=scheme, **PHONE) for _ in range(2))
    log_in(person, OTHER_USER)
    for page, paths in (
        (visitor, [*PUBLIC_PAGES, photo]),
        (person, [*OWN_PAGES, photo]),
    ):
        for path in paths:
            page.goto(path)
            check_accessibility(page)
    person.goto("/photos/mine/")
    heading = person.get_by_role("heading", name="W" * 120).first
    assert heading.evaluate(
        "title => title.clientHeight < 50 && title.scrollHeight > 100"
    ), "two lines of many"


@pytest.fixture(scope="module")
def start_page(
    pristine: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Serve a project whose start page is its own."""
    folder = shutil.copytree(
        pristine(ALL_OFF), tmp_path_factory.mktemp("start") / "my-secure-site"
    )
    with serve(folder) as served:
        yield served


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [DESKTOP, SMALL_PHONE], ids=["1280 px", "390 px"])
def test_start_page_is_accessible(
    device: dict[str, Any], scheme: str, start_page: Site, browse: Browse
) -> None:
    page = browse(start_page.url, color_scheme=scheme, **device)
    check_accessibility(page)
    page.get_by_role("main").get_by_role("link", name="Log in").click()
    expect(page.get_by_label("Email")).to_be_visible()
    page.goto("/missing/")
    page.get_by_role("link", name="To the start page").click()
    expect(page.get_by_text("A website made with Django.")).to_be_visible()


def test_account_without_sign_up_has_the_same_layout(
    start_page: Site, browse: Browse
) -> None:
    page = browse(start_page.url, **SMALL_PHONE)
    log_in(page, OWNER)
    page.goto("/accounts/password/change/")
    check_header(page)
    check_accessibility(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    pages = page.get_by_role("navigation", name="Account")
    pages.locator("summary").press("Enter")
    expect(pages.get_by_role("link")).to_have_text(["Profile", "Password"])
    expect(page.locator("header .main")).to_be_hidden()  # it has no entries
    page.goto("/accounts/logout/")
    check_header(page)


def add_waiting(site: Site, *titles: str) -> None:
    """Add photos of the owner that have waited for longer than all others."""
    owner = site.visitor(OWNER)
    for title in titles:
        assert owner.upload(encode(landscape(5, (640, 480))), title=title).status == 302
    years = (
        "{title: 1990 + number for number, title in enumerate(" + repr(titles) + ")}"
    )
    site.python(f"""
from datetime import UTC, datetime
for title, year in {years}.items():
    photos = Photo.objects.filter(title=title)
    photos.update(created_at=datetime(year, 1, 1, tzinfo=UTC))
""")


def press_access_key(page: Page, key: str) -> None:
    """Press Alt and a key.

    Playwright's own method sends no character, which is what Chromium acts on.
    """
    keyboard = page.context.new_cdp_session(page)
    for kind in ("rawKeyDown", "char", "keyUp"):
        event = {
            "type": kind,
            "modifiers": 1,
            "key": key,
            "text": key,
            "unmodifiedText": key,
        }
        keyboard.send("Input.dispatchKeyEvent", event)


@pytest.mark.parametrize(
    "options",
    [{}, {"java_script_enabled": False}],
    ids=["with JavaScript", "without JavaScript"],
)
def test_photos_are_reviewed_by_keyboard_alone(
    options: dict[str, Any], site: Site, browse: Browse
) -> None:
    titles = [
        f"{name} {len(options)}"
        for name in ("Skipped", "Approved", "Rejected", "Listed")
    ]
    add_waiting(site, *titles)
    staff = browse(site.url, **options)
    log_in(staff, ADMIN)
    staff.goto(QUEUE)
    staff.get_by_role("link", name=titles[0]).first.focus()
    staff.keyboard.press("Enter")
    expect(staff.get_by_role("img", name=titles[0])).to_be_in_viewport()
    press_access_key(staff, "s")
    expect(staff.get_by_role("img", name=titles[1])).to_be_in_viewport()
    press_access_key(staff, "a")
    expect(staff.get_by_role("img", name=titles[2])).to_be_in_viewport()
    expect(staff.get_by_text("Photos approved: 1.")).to_be_visible()
    press_access_key(staff, "r")
    expect(staff.get_by_label("Reason")).to_be_focused()
    staff.keyboard.press("Enter")  # not without a reason
    expect(staff.get_by_role("heading", name=titles[2], exact=True)).to_be_visible()
    staff.keyboard.type("Too dark")
    staff.keyboard.press("Enter")
    expect(staff.get_by_text("Photos rejected: 1.")).to_be_visible()
    expect(staff.get_by_role("heading", name=titles[3], exact=True)).to_be_visible()

    staff.goto(QUEUE)
    staff.get_by_role("row", name=titles[3]).get_by_role("checkbox").focus()
    staff.keyboard.press("Space")
    staff.get_by_label("Action:").focus()
    staff.keyboard.type("Reject")
    staff.get_by_role("button", name="Run").focus()
    staff.keyboard.press("Enter")
    expect(
        staff.get_by_role("listitem").filter(has_text=titles[3]).locator("img")
    ).to_be_visible()
    press_access_key(staff, "r")
    staff.keyboard.type("Too dark")
    staff.keyboard.press("Enter")
    expect(staff.get_by_text("Photos rejected: 1.")).to_be_visible()
    found = site.python(f"""
for title in {titles}:
    photos = Photo.objects.filter(title=title)
    print(*photos.values_list("status", "reason")[0], sep=",")
""")
    assert found.split("\n")[:4] == [
        "pending,",
        "approved,",
        "rejected,Too dark",
        "rejected,Too dark",
    ]
    site.python(f"Photo.objects.filter(title={titles[0]!r}).delete()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [DESKTOP, SMALL_PHONE], ids=["1280 px", "390 px"])
def test_review_pages_are_accessible(
    device: dict[str, Any], scheme: str, site: Site, browse: Browse
) -> None:
    titles = [f"{letter}{scheme}{len(device)}" + letter * 90 for letter in "WM"]
    add_waiting(site, *titles)
    staff = browse(site.url, color_scheme=scheme, **device)
    log_in(staff, ADMIN)
    staff.goto(QUEUE)
    check_accessibility(staff)
    table = staff.locator("#changelist .results")
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth"), (
        "a column is cut off"
    )
    staff.get_by_role("link", name=titles[0]).first.click()
    check_accessibility(staff)
    staff.goto(QUEUE)
    staff.get_by_role("row", name=titles[0]).get_by_role("checkbox").check()
    staff.get_by_label("Action:").select_option("reject")
    staff.get_by_role("button", name="Run").click()
    expect(staff.get_by_role("heading", name="Reject photos")).to_be_visible()
    check_accessibility(staff)
    site.python(f"Photo.objects.filter(title__in={titles}).delete()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_page_of_the_admin_is_readable_at_every_width(
    scheme: str, site: Site, browse: Browse
) -> None:
    title = f"Admin {scheme}"
    add_waiting(site, title)
    email = f"{scheme}.{'long' * 10}@example.com"
    prepared = site.python(f"""
from django.contrib.auth.models import Group, Permission
from gallery.models import Picture
group = Group.objects.create(name="{title}")
group.permissions.set(Permission.objects.all()[:3])
user = User.objects.create_user("{email}", None, name="Ada Lovelace")
picture = Picture.objects.get(title="{title}")
print(group.pk, user.pk, picture.pk, picture.photo_id)
""")
    group, user, picture, photo = prepared.split()
    pages = [
        "",
        "auth/group/",
        f"auth/group/{group}/change/",
        "users/user/",
        f"users/user/{user}/change/",
        f"users/user/{user}/password/",
        f"users/user/{user}/delete/",
        f"users/user/{user}/history/",
        "gallery/picture/",
        f"gallery/picture/{picture}/change/",
        "secure_django_photos/photo/",
        f"secure_django_photos/photo/{photo}/change/",
        f"secure_django_photos/photo/{photo}/history/",
    ]
    staff = browse(site.url, color_scheme=scheme)
    staff.goto("/admin/")
    check_readable(staff)
    staff.goto("/")
    log_in(staff, ADMIN)
    for width in (390, 768, 1440):
        staff.set_viewport_size({"width": width, "height": 900})
        for page in pages:
            staff.goto(f"/admin/{page}")
            check_readable(staff)
    site.python(f"Photo.objects.filter(title='{title}').delete()")


def test_picture_of_a_profile_is_sent_once_and_waits(
    site: Site, browse: Browse
) -> None:
    page = browse(site.url)
    log_in(page, OTHER_USER)
    page.goto("/accounts/profile/")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.get_by_label("Picture").set_input_files(
        {
            "name": "face.jpg",
            "mimeType": "image/jpeg",
            "buffer": encode(landscape(3, (600, 600))),
        }
    )
    form = page.locator("form", has=page.get_by_label("Picture"))
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_text("Waiting for review")).to_be_visible()
    expect(page.get_by_role("img", name="Present photo")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert sent.count("POST") == 1
    # The mark in the header is a letter, and never a picture.
    expect(page.locator("header .initial")).to_have_text("O")


def test_skip_link_moves_the_focus_past_the_menu(site: Site, browse: Browse) -> None:
    page = browse(site.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_one_row_stands_above_the_heading(
    width: int, site: Site, browse: Browse
) -> None:
    visitor, owner, staff = (browse(site.url) for _ in range(3))
    log_in(owner, OWNER)
    log_in(staff, ADMIN)
    for page, paths in (
        (visitor, PUBLIC_PAGES[:-1]),
        (owner, ["/", *OWN_PAGES]),
        (staff, ["/", *OWN_PAGES]),
    ):
        page.set_viewport_size({"width": width, "height": 844})
        for path in paths:
            page.goto(path)
            check_header(page)


@pytest.mark.parametrize(
    "options",
    [{}, {"java_script_enabled": False}],
    ids=["with JavaScript", "without JavaScript"],
)
def test_menus_open_and_close_by_keyboard(
    options: dict[str, Any], site: Site, browse: Browse
) -> None:
    page = browse(site.url, **SMALL_PHONE, **options)
    log_in(page, OWNER)
    menu, person = (page.locator(f"header .{name}") for name in ("main", "person"))
    upload = menu.get_by_role("link", name="Upload", exact=True)
    end = person.get_by_role("button", name="Log out")
    for _ in range(3):  # the link to the content, and the name of the site
        page.keyboard.press("Tab")
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(upload).to_be_visible()
    check_header(page)
    page.keyboard.press("Enter")
    expect(upload).to_be_hidden()
    page.keyboard.press("Tab")
    expect(person.locator("summary")).to_be_focused()
    page.keyboard.press("Space")
    expect(end).to_be_visible()
    menu.locator("summary").press("Enter")  # one menu closes the other
    expect(upload).to_be_visible()
    expect(end).to_be_hidden()
    person.locator("summary").press("Enter")
    end.press("Enter")
    expect(page.get_by_role("link", name="Log in")).to_be_visible()


def test_script_closes_an_open_menu(site: Site, browse: Browse) -> None:
    page = browse(site.url)
    log_in(page, OWNER)
    menu = page.locator("header .person")
    summary = menu.locator("summary")
    end = menu.get_by_role("button", name="Log out")

    summary.press("Enter")
    end.focus()
    page.keyboard.press("Escape")
    expect(end).to_be_hidden()
    expect(summary).to_be_focused()

    summary.press("Enter")
    end.focus()
    page.keyboard.press("Tab")  # out of the menu
    expect(end).to_be_hidden()

    summary.click()
    expect(end).to_be_visible()
    page.locator("footer p").first.click()  # it takes no focus
    expect(end).to_be_hidden()

    summary.click()
    expect(end).to_be_visible()
    page.evaluate("dispatchEvent(new Event('pagehide'))")  # the page is left
    expect(end).to_be_hidden()


def test_menu_stands_in_the_row_of_a_wide_screen(site: Site, browse: Browse) -> None:
    page = browse(site.url, **DESKTOP)
    log_in(page, OWNER)
    menu = page.locator("header .main")
    expect(menu.locator("summary")).to_be_hidden()
    upload = menu.get_by_role("link", name="Upload", exact=True)
    expect(upload).to_be_visible()
    entries = "menu => { const item = menu.querySelector('li');"
    entries += "for (let i = 0; i < 5; i++) item.after(item.cloneNode(true)); }"
    menu.evaluate(entries)
    expect(upload).to_be_hidden()  # eight entries: the menu stays closed
    expect(menu.locator("summary")).to_be_visible()
    check_header(page)
