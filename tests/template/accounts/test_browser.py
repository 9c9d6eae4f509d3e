"""What users do with their accounts, in Chromium."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.accounts import IP_ADDRESSES, Mailbox
from tests.support.browsing import (
    Browse,
    add_authenticator_app,
    check_accessibility,
    expect_logged_in,
    open_person_menu,
    totp,
)
from tests.support.live import OTHER_USER, OWNER, PASSWORD, Site

pytestmark = pytest.mark.tier("whole")

PHONE = {"width": 390, "height": 740}
CREATE_USER = f"""
user = User.objects.create_user({{email!r}}, {PASSWORD!r})
user.emailaddress_set.create(email=user.email, verified=True, primary=True)
"""


@pytest.fixture
def visit(site: Site, browse: Browse) -> Browse:
    """Return a function that opens the site in a new context with an IP address.

    Each browser context has an IP address of its own.
    """

    def start(**options: Any) -> Page:  # noqa: ANN401
        proxy = {"X-Forwarded-For": next(IP_ADDRESSES), "X-Forwarded-Proto": "https"}
        return browse(site.url, extra_http_headers=proxy, **options)

    return start


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/accounts/login/")
    expect(page.get_by_label("Email")).to_have_attribute("autocomplete", "username")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def log_out(page: Page) -> None:
    open_person_menu(page).get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()


def confirm(page: Page, label: str, value: str) -> None:
    page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Confirm").click()


def open_second_factors(page: Page) -> None:
    open_person_menu(page).get_by_role("link", name="Your account").click()
    page.get_by_role("link", name="Second factor").click()


def test_form_is_sent_again_while_the_site_is_busy(visit: Browse, site: Site) -> None:
    site.python(CREATE_USER.format(email="patient@example.com"))
    page = visit()
    answers: list[int] = []

    def answer(route: Route) -> None:
        is_busy = route.request.method == "POST" and len(answers) < 2
        if route.request.method == "POST":
            answers.append(503 if is_busy else 302)
        if is_busy:
            route.fulfill(status=503, headers={"Retry-After": "1"}, body="")
        else:
            route.continue_()

    page.route("**/accounts/login/", answer)
    log_in(page, "patient@example.com")
    expect(page.get_by_role("status")).to_have_text(
        "The site is busy. The form is sent again in a few seconds."
    )
    expect_logged_in(page)
    assert answers == [503, 503, 302]


def test_wrong_password_is_shown_in_place(visit: Browse) -> None:
    page = visit()
    for _ in range(2):
        log_in(page, "nobody@example.com", "wrong")
        error = page.get_by_text("are not correct")
        expect(error).to_be_visible()
        expect(page.locator(".nonfield")).to_be_focused()
    toggle = page.get_by_role("button", name="Show password")
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#id_password")).to_have_attribute("type", "text")


def test_user_signs_up_and_adds_an_authenticator_app(
    visit: Browse, mailbox: Mailbox
) -> None:
    page = visit()
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("Email").fill("new@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    confirm(page, "Code", mailbox.code_for("new@example.com"))
    expect_logged_in(page)
    open_second_factors(page)
    page.get_by_role("link", name="Activate").click()
    confirm(page, "Password", PASSWORD)  # a sign-up is not a log-in
    secret = add_authenticator_app(page)
    recovery = page.get_by_label("Unused codes").input_value().split()[0]
    expect(page.get_by_role("link", name="Download", exact=True)).to_be_visible()
    log_out(page)

    for code, works in (("", True), (recovery, True), (recovery, False)):
        log_in(page, "new@example.com")
        expect(page.get_by_label("Code")).to_be_visible()
        page.get_by_label("Code").fill(code or totp(secret))
        page.get_by_role("button", name="Log in", exact=True).click()
        if works:
            log_out(page)
        else:
            expect(page.get_by_text("Incorrect code")).to_be_visible()


def test_user_logs_in_with_a_passkey(visit: Browse, mailbox: Mailbox) -> None:
    page = visit()
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    able = dict.fromkeys(
        (
            "hasResidentKey",
            "hasUserVerification",
            "isUserVerified",
            "automaticPresenceSimulation",
        ),
        True,
    )
    options = {"protocol": "ctap2", "transport": "internal", **able}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    log_in(page, OWNER)
    open_second_factors(page)
    page.locator("section", has_text="Passkeys").get_by_role("link", name="Add").click()
    page.get_by_label("Works without a password").check()
    page.get_by_label("Name").fill("My laptop")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Passkey added")).to_be_visible()
    mailbox.last_to(OWNER, r"A passkey was added\.")
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_role("main")).to_contain_text(
        "My laptop Works without a password. Added"
    )
    log_out(page)

    page.get_by_role("link", name="Log in").click()
    page.get_by_role("button", name="Log in with a passkey").click()
    expect_logged_in(page)
    log_out(page)
    log_in(page, OWNER)
    page.get_by_role("button", name="Use a passkey").click()
    expect_logged_in(page)


def test_keyboard_reaches_password_and_shows_it(visit: Browse) -> None:
    page = visit()
    page.goto("/accounts/login/")
    page.get_by_label("Email").focus()
    page.keyboard.type(OTHER_USER)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Forgot your password?")).to_be_focused()
    page.keyboard.press("Tab")
    toggle, password = (
        page.get_by_role("button", name="Show password"),
        page.get_by_label("Password"),
    )
    expect(toggle).to_be_focused()
    for pressed, shown in (
        ("false", "password"),
        ("true", "text"),
        ("false", "password"),
    ):
        expect(toggle).to_have_attribute("aria-pressed", pressed)
        expect(password).to_have_attribute("type", shown)
        page.keyboard.press("Space")
    expect(password).to_have_attribute("type", "text")
    page.keyboard.press("Tab")
    expect(page.get_by_label("This computer is shared")).to_be_focused()
    page.keyboard.press("Tab")
    # As text, the browser would remember it.
    page.evaluate(
        "() => addEventListener('beforeunload', "
        "() => { sessionStorage.sent = id_password.type; })"
    )
    page.keyboard.press("Enter")
    expect_logged_in(page)
    assert page.evaluate("sessionStorage.sent") == "password"


def test_pages_without_javascript_offer_no_dead_buttons(visit: Browse) -> None:
    page = visit(java_script_enabled=False)
    page.goto("/accounts/login/")
    assert [
        it.inner_text() for it in page.get_by_role("main").get_by_role("button").all()
    ] == ["Log in"]
    assert "JavaScript" not in page.inner_text("body")
    page.goto("/accounts/signup/")
    expect(page.get_by_text("at least 12 characters")).to_be_visible()
    log_in(page, OTHER_USER)
    page.goto("/accounts/2fa/webauthn/add/")
    expect(page.get_by_text("Passkeys need JavaScript")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)


def test_failed_passkey_is_explained(visit: Browse) -> None:
    page = visit()
    page.goto("/accounts/login/")
    page.evaluate(
        "() => { navigator.credentials.get = () => Promise.reject(new Error()); }"
    )
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("alert")).to_have_text(
        "Your browser did not confirm a passkey. Try again."
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_account_pages_are_accessible_at_phone_width(
    scheme: str, visit: Browse, site: Site
) -> None:
    email = f"{scheme}@example.com"
    site.python(CREATE_USER.format(email=email))
    page = visit(color_scheme=scheme, viewport=PHONE)

    def check(*paths: str) -> None:
        for path in paths:
            page.goto(f"/accounts/{path}/")
            check_accessibility(page)
            assert "ecurity key" not in page.content()

    check("signup", "password/reset", "login")
    names = ("Log in", "Log in with a passkey")
    primary, secondary = (
        page.get_by_role("button", name=name, exact=True) for name in names
    )
    bottom = primary.evaluate("button => button.getBoundingClientRect().bottom")
    assert (
        secondary.evaluate("button => button.getBoundingClientRect().top") - bottom >= 8
    )
    color = "button => getComputedStyle(button).backgroundColor"
    assert primary.evaluate(color) != secondary.evaluate(color)

    log_in(page, email)
    expect_logged_in(page)
    check("email", "password/change", "sessions", "2fa", "reauthenticate")
    confirm(page, "Password", PASSWORD)
    # The script opens the next page once the form's answer is there.
    page.wait_for_url(lambda url: "reauthenticate" not in url)
    check("delete", "2fa/webauthn", "2fa/webauthn/add", "2fa/totp/activate")
    add_authenticator_app(page)
    check_accessibility(page)
    check(
        "2fa",
        "2fa/recovery-codes/generate",
        "2fa/totp/deactivate",
        "2fa/reauthenticate",
    )
    log_out(page)
    log_in(page, email)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    check_accessibility(page)


def test_user_switches_emails_off_with_the_keyboard_alone(
    site: Site, browse: Browse
) -> None:
    headers = {"X-Forwarded-For": next(IP_ADDRESSES), "X-Forwarded-Proto": "https"}
    page = browse(site.url, extra_http_headers=headers, java_script_enabled=False)
    log_in(page, OTHER_USER)
    open_person_menu(page).get_by_role("link", name="Your account").click()
    page.get_by_role("link", name="Notifications").press("Enter")
    switch = page.get_by_role("checkbox", name="Email me about decisions on my photos")
    expect(switch).to_be_checked()
    for checked in (False, True):
        switch.press("Space")
        switch.press("Enter")
        expect(page.get_by_text("Saved.")).to_be_visible()
        expect(switch).to_be_checked(checked=checked)
