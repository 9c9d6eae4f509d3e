"""The upload page in Chromium on a busy site: it waits, retries, and keeps the file."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.browsing import Browse, fill_in, log_in, stop_clock
from tests.support.images import encode, landscape
from tests.support.live import OWNER, Site

pytestmark = pytest.mark.tier("whole")


def be_busy(page: Page, times: int) -> list[str]:
    """Answer the first uploads as a busy site does; list each upload that arrives."""
    seen: list[str] = []
    form = page.request.get("/photos/upload/").text()

    def answer(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        seen.append(route.request.url)
        if len(seen) <= times:
            busy = '<ul class="errorlist nonfield"><li>Busy.</li></ul>'
            body = form.replace(
                '<button type="submit">Upload', f'{busy}<button type="submit">Upload'
            )
            route.fulfill(
                status=503,
                headers={"Retry-After": "1"},
                content_type="text/html",
                body=body,
            )
        else:
            route.continue_()

    page.route("**/photos/upload/", answer)
    stop_clock(page)
    return seen


@pytest.mark.parametrize(("busy", "arrives"), [(3, True), (4, False)])
def test_busy_upload_is_tried_again_three_times(
    busy: int,
    arrives: bool,  # noqa: FBT001
    site: Site,
    browse: Browse,
) -> None:
    page = browse(site.url)
    log_in(page, OWNER)
    fill_in(page, f"Patience {busy}", encode(landscape(1, (640, 480))))
    seen = be_busy(page, busy)
    page.get_by_role("button", name="Upload").click()
    for number in range(1, 4):
        expect(page.get_by_role("status").last).to_have_text(
            "The site is busy. The upload is tried again in 1 seconds."
        )
        assert len(seen) == number
        page.clock.run_for(1000)
    if arrives:
        expect(
            page.get_by_role("listitem").filter(has_text=f"Patience {busy}")
        ).to_be_visible()
    else:
        expect(page.locator(".nonfield")).to_be_focused()
        assert page.get_by_label("Photo").evaluate("input => input.files.length") == 1
    assert len(seen) == 4


def test_waiting_upload_can_be_canceled(site: Site, browse: Browse) -> None:
    page = browse(site.url)
    log_in(page, OWNER)
    fill_in(page, "Never", encode(landscape(1, (640, 480))))
    seen = be_busy(page, 1)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status").last).to_contain_text("tried again")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status").last).to_have_text("Upload canceled.")
    page.clock.run_for(60_000)
    expect(page.get_by_role("status").last).to_have_text("Upload canceled.")
    assert len(seen) == 1
