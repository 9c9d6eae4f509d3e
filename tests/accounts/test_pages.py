"""The list of the account's pages, the menu of the person, and the start page."""

import re

import pytest
from allauth.mfa.models import Authenticator

from secure_django.testing import HTTPSClient, Login
from users.models import User

PAGES = {
    "/accounts/profile/": "Profile",
    "/accounts/email/": "Email",
    "/accounts/password/change/": "Password",
    "/accounts/2fa/": "Second factor",
    "/accounts/sessions/": "Sessions",
    "/accounts/notifications/": "Notifications",
}
ENTRY = re.compile(r'<li><a href="([^"]+)"( aria-current="\w+")?>([^<]+)</a></li>')


def header_of(page: str) -> str:
    return page.partition("<header>")[2].partition("</header>")[0]


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_the_account_have_one_heading_and_one_list(
    path: str, login: Login, user: User
) -> None:
    page = login(user).get(path).text
    assert re.findall("<h1>(.+?)</h1>", page) == ["Your account"]
    listed = page.partition('<nav aria-label="Account">')[2].partition("</nav>")[0]
    entries = ENTRY.findall(listed)
    names = {url: name for url, _, name in entries}
    assert names == {**PAGES, "/accounts/delete/": "Delete account"}
    assert [url for url, current, _ in entries if current] == [path]
    summary = listed.partition("<summary>")[2].partition("</summary>")[0]
    assert summary.split() == ["Account:", *PAGES[path].split()]


def test_page_below_another_marks_its_entry(login: Login, user: User) -> None:
    page = login(user).get("/accounts/2fa/webauthn/").text
    assert '<a href="/accounts/2fa/" aria-current="true">' in page


def test_staff_are_not_offered_the_deletion(login: Login, reviewer: User) -> None:
    assert "/accounts/delete/" not in login(reviewer).get("/accounts/email/").text


def test_menu_shows_the_name_or_else_the_email(login: Login, user: User) -> None:
    header = header_of(login(user).get("/").text)
    assert f'dir="auto">{user.email}</span>' in header
    assert f'aria-hidden="true">{user.email[0].upper()}</span>' in header
    user.name = "<Émile>"
    user.save()
    header = header_of(login(user).get("/").text)
    assert 'dir="auto">&lt;Émile&gt;</span>' in header
    assert 'aria-hidden="true">&lt;</span>' in header


def test_admin_is_in_the_menu_of_staff_alone(
    login: Login, user: User, reviewer: User
) -> None:
    assert 'href="/admin/"' in header_of(login(reviewer).get("/").text)
    assert 'href="/admin/"' in header_of(login(reviewer).get("/accounts/email/").text)
    assert 'href="/admin/"' not in header_of(login(user).get("/").text)


def test_start_page_greets_by_name_and_never_by_email(login: Login, user: User) -> None:
    assert "<h1>Welcome</h1>" in login(user).get("/").text
    user.name = "Ada <b>"
    user.save()
    assert "<h1>Welcome, Ada &lt;b&gt;</h1>" in login(user).get("/").text
    visitors = HTTPSClient().get("/").text
    assert "Welcome" not in visitors
    assert user.email not in visitors


def test_start_page_advises_a_second_factor_until_there_is_one(
    login: Login, user: User
) -> None:
    advice = "Set up a second factor"
    assert advice in login(user).get("/").text
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
    assert advice not in login(user).get("/").text
