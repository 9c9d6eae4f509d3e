"""Known devices of accounts with second factors and a list of sessions."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession

from secure_django.login.models import Device
from secure_django.testing import (
    LOGIN,
    PASSWORD,
    HTTPSClient,
    Login,
    MakeUser,
    is_logged_in,
    log_in,
)
from secure_django.testing.people import (
    add_second_factor,
    code,
    prove_second_factor,
    verify_email,
)
from users.models import User

COOKIE = "__Host-device"
ENTER_CODE = "/accounts/2fa/authenticate/"
SESSIONS = "/accounts/sessions/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def member(user: User) -> User:
    verify_email(user)
    return user


def browser(user: User) -> HTTPSClient:
    client = HTTPSClient()
    log_in(client, user.email)
    return client


def test_browser_is_known_once_the_second_factor_is_proved(member: User) -> None:
    add_second_factor(member)
    client = browser(member)
    assert COOKIE not in client.cookies
    assert not Device.objects.exists()
    client.post(ENTER_CODE, {"code": code()})
    assert is_logged_in(client)
    assert client.cookies[COOKIE].value


def test_choice_of_a_shared_computer_outlasts_the_second_step(member: User) -> None:
    add_second_factor(member)
    client = HTTPSClient()
    fields = {"login": member.email, "password": PASSWORD, "shared": "on"}
    client.post(LOGIN, fields)
    client.post(ENTER_CODE, {"code": code()})
    assert is_logged_in(client)
    assert COOKIE not in client.cookies


def test_right_password_before_a_change_leaves_the_device_known(member: User) -> None:
    client = browser(member)
    for _ in range(8):
        client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert Device.objects.get().failures == 0


def stolen(client: HTTPSClient) -> HTTPSClient:
    """Return a browser with a copy of the client's cookie of its device."""
    thief = HTTPSClient()
    thief.cookies[COOKIE] = client.cookies[COOKIE].value
    return thief


def is_known(client: HTTPSClient, user: User) -> bool:
    """Return whether a browser gets in although guesses block the account."""
    client = stolen(client)
    for number in range(6):
        guesser = HTTPSClient(REMOTE_ADDR=f"198.51.100.{number}")
        log_in(guesser, user.email, "wrong")
    log_in(client, user.email)
    return is_logged_in(client)


@pytest.mark.control("lock-out")
@pytest.mark.usefixtures("run_on_commit")
def test_change_of_factors_leaves_this_browser_alone_known(member: User) -> None:
    other = browser(member)
    client = browser(member)
    old = stolen(client)
    assert Device.objects.count() == 2
    prove_second_factor(client, member)
    client.post("/accounts/2fa/totp/deactivate/")
    assert Device.objects.count() == 1
    assert not is_known(other, member)
    assert not is_known(old, member)
    assert is_known(client, member)


def test_factor_that_staff_delete_makes_all_devices_unknown(
    member: User, login: Login, make_user: MakeUser
) -> None:
    browser(member)
    add_second_factor(member)
    admin = login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    factor = Authenticator.objects.get(user=member)
    admin.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    assert not Device.objects.filter(user=member).exists()


@pytest.mark.control("lock-out")
def test_log_out_everywhere_forgets_each_cookie(member: User) -> None:
    other = browser(member)
    client = browser(member)
    old = stolen(client)
    client.post(SESSIONS)
    assert Device.objects.count() == 1
    assert not is_known(other, member)
    assert not is_known(old, member)
    assert is_known(client, member)


@pytest.mark.control("lock-out")
def test_end_of_a_session_elsewhere_forgets_each_cookie(member: User) -> None:
    other = browser(member)
    ended = UserSession.objects.get()
    client = browser(member)
    old = stolen(client)
    client.post(f"{SESSIONS}{ended.pk}/end/")
    assert not is_logged_in(other)
    assert not is_known(other, member)
    assert not is_known(old, member)
    assert is_known(client, member)


def test_shared_computer_stays_unknown(member: User) -> None:
    client = HTTPSClient()
    client.post(LOGIN, {"login": member.email, "password": PASSWORD, "shared": "on"})
    client.post(SESSIONS)
    assert COOKIE not in client.cookies
    assert not Device.objects.exists()


@pytest.mark.control("lock-out")
def test_sessions_that_staff_end_make_all_devices_unknown(
    member: User, login: Login, make_user: MakeUser
) -> None:
    client = browser(member)
    session = UserSession.objects.get(session_key=client.session.session_key)
    admin = login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    fields = {"action": "end", "_selected_action": [session.pk]}
    admin.post("/admin/usersessions/usersession/", fields)
    assert not is_logged_in(client)
    assert not Device.objects.filter(user=member).exists()
