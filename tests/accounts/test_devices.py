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


@pytest.mark.control("lock-out")
def test_change_of_factors_makes_all_devices_unknown(member: User) -> None:
    browser(member)
    client = browser(member)
    assert Device.objects.count() == 2
    prove_second_factor(client, member)
    client.post("/accounts/2fa/totp/deactivate/")
    assert not Device.objects.exists()


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
def test_log_out_everywhere_keeps_the_device_of_this_browser(member: User) -> None:
    browser(member)
    client = browser(member)
    kept = Device.objects.latest("pk")
    client.post(SESSIONS)
    assert Device.objects.get() == kept


@pytest.mark.control("lock-out")
def test_end_of_a_session_elsewhere_makes_its_device_unknown(member: User) -> None:
    other = browser(member)
    client = browser(member)
    kept = Device.objects.latest("pk")
    key = other.session.session_key
    session = UserSession.objects.get(session_key=key)
    client.post(f"{SESSIONS}{session.pk}/end/")
    assert Device.objects.get() == kept


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
