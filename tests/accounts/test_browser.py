"""What users do with their accounts, in Chromium."""

import base64
import hashlib
import hmac
import struct
import time

import pytest
from playwright.sync_api import Page, expect

from tests.support.accounts import IP_ADDRESSES, LEAVER, Mailbox
from tests.support.browsing import Browse
from tests.support.live import ADMIN, OWNER, PASSWORD, Site

NEW = "a harbour at noon"


@pytest.fixture
def visit(site: Site, browse: Browse) -> Browse:
    """Return a function that opens the site in a new browser context with an IP address of its own."""
    return lambda: browse(
        site.url, extra_http_headers={"X-Forwarded-For": next(IP_ADDRESSES), "X-Forwarded-Proto": "https"}
    )


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/accounts/login/")
    expect(page.get_by_label("Email")).to_have_attribute("autocomplete", "username")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def log_out(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()


def confirm(page: Page, label: str, value: str) -> None:
    page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Confirm").click()


def totp(secret: str) -> str:
    """Return the code that an authenticator app shows; wait if it is about to expire."""
    if time.time() % 30 > 24:
        time.sleep(7)
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    (value,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(value & 0x7FFFFFFF) % 10**6:06}"


def open_second_factors(page: Page) -> None:
    page.get_by_role("link", name="Account").click()
    page.get_by_role("link", name="Second factor").click()


def add_authenticator_app(page: Page) -> str:
    """Set up an authenticator app and return its secret."""
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.get_by_label("Authenticator secret").input_value()
    page.get_by_label("Authenticator code").fill(totp(secret))
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("Authenticator app activated")).to_be_visible()
    return secret


def test_user_signs_up_and_adds_an_authenticator_app(visit: Browse, mailbox: Mailbox) -> None:
    page = visit()
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("Email").fill("new@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    confirm(page, "Code", mailbox.code_for("new@example.com"))
    expect(page.get_by_role("heading", name="My photos")).to_be_visible()
    open_second_factors(page)
    page.get_by_role("link", name="Activate").click()
    confirm(page, "Password", PASSWORD)  # a sign-up is not a log-in
    secret = add_authenticator_app(page)
    recovery = page.get_by_label("Unused codes").input_value().split()[0]
    expect(page.get_by_role("link", name="Download codes")).to_be_visible()
    log_out(page)

    for code, works in ((totp(secret), True), (recovery, True), (recovery, False)):
        log_in(page, "new@example.com")
        page.get_by_label("Code").fill(code)
        page.get_by_role("button", name="Sign In", exact=True).click()
        if works:
            log_out(page)
        else:
            expect(page.get_by_text("Incorrect code")).to_be_visible()


def test_user_logs_in_with_a_passkey(visit: Browse) -> None:
    page = visit()
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    able = dict.fromkeys(
        ("hasResidentKey", "hasUserVerification", "isUserVerified", "automaticPresenceSimulation"), True
    )
    options = {"protocol": "ctap2", "transport": "internal", **able}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    log_in(page, OWNER)
    open_second_factors(page)
    page.locator("section", has_text="Security Keys").get_by_role("link", name="Add").click()
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Security key added")).to_be_visible()
    log_out(page)

    page.get_by_role("link", name="Log in").click()
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="My photos")).to_be_visible()
    log_out(page)
    log_in(page, OWNER)
    page.get_by_role("button", name="Use a security key").click()
    expect(page.get_by_role("heading", name="My photos")).to_be_visible()


def test_user_ends_session_changes_password_deletes_account(visit: Browse, mailbox: Mailbox) -> None:
    page, other = visit(), visit()
    for browser in (other, page):
        log_in(browser, LEAVER)
    page.get_by_role("link", name="Account").click()
    page.get_by_role("link", name="Sessions").click()
    page.get_by_role("button", name="End session").click()
    other.goto("/photos/mine/")
    expect(other.get_by_role("heading", name="Log in")).to_be_visible()

    page.get_by_role("link", name="Password").click()
    page.get_by_label("Current Password").fill(PASSWORD)
    for label in ("New Password:", "New Password (again):"):
        page.get_by_label(label).fill(NEW)
    page.get_by_role("button", name="Change Password").click()
    expect(page.get_by_text("Password successfully changed")).to_be_visible()
    notice = mailbox.last_to(LEAVER, "Your password has been changed")
    assert {part.get_content_type() for part in notice.iter_parts()} == {"text/plain", "text/html"}

    page.get_by_role("link", name="Delete account").click()
    confirm(page, "Password", NEW)
    page.get_by_role("button", name="Delete account permanently").click()
    expect(page.get_by_role("heading", name="Account deleted")).to_be_visible()
    log_in(page, LEAVER, NEW)
    expect(page.get_by_text("are not correct")).to_be_visible()


def test_new_superuser_adds_second_factor_and_opens_admin(visit: Browse) -> None:
    page = visit()
    page.goto("/admin/uploads/photo/")
    page.get_by_label("Email").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_text("Staff need a second factor")).to_be_visible()
    page.get_by_role("link", name="Activate").click()
    add_authenticator_app(page)
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("heading", name="Select photo to change")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    page.get_by_role("link", name="Authenticators").click()
    page.get_by_role("link", name=ADMIN).first.click()
    expect(page.get_by_text("Last used at")).to_be_visible()
