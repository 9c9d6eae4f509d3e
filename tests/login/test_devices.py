"""Known devices: the wrong passwords of others shut no known browser out."""

from datetime import timedelta
from http.cookies import Morsel
from typing import Any

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from secure_django.login.devices import MOST_DEVICES, find_device, forget_devices
from secure_django.login.hashers import Argon2idHasher
from secure_django.login.jobs import delete_expired
from secure_django.login.middleware import (
    form_turn,
    seconds_in,
    seconds_used,
    turns_of_known,
    turns_of_unknown,
)
from secure_django.login.models import MOST_FAILURES, Device
from secure_django.testing import (
    LOGIN,
    PASSWORD,
    HTTPSClient,
    MakeUser,
    Travel,
    is_logged_in,
    log_in,
)
from secure_django.testing.people import verify_email
from secure_django.web.client import client_network
from users.models import User

COOKIE = "__Host-device"
NEW = "a harbor at noon"
OFFICE = "192.0.2.1"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare passwords in no time: these tests try hundreds."""
    monkeypatch.setattr(
        Argon2idHasher, "verify", lambda self, password, encoded: password == PASSWORD
    )


@pytest.fixture
def member(user: User) -> User:
    """Return a user who can log in."""
    verify_email(user)
    return user


@pytest.fixture
def device(member: User) -> HTTPSClient:
    """Return a browser in which the member has logged in, and out again."""
    return known_device(member)


def known_device(user: User, **options: Any) -> HTTPSClient:
    client = HTTPSClient(**options)
    log_in(client, user.email)
    client.post("/accounts/logout/")
    return client


def cookie_of(client: HTTPSClient) -> Morsel[str]:
    return client.cookies[COOKIE]


def is_checked(client: HTTPSClient, email: str, **options: Any) -> bool:
    """Send a wrong password, and return whether the site has compared it."""
    page = log_in(client, email, "wrong", **options)
    return "are not correct" in page.text


def guess_from_everywhere(email: str, number: int = 20) -> int:
    """Send wrong passwords from unknown devices; return how many were compared."""
    addresses = [f"198.51.100.{last}" for last in range(number)]
    return sum(is_checked(HTTPSClient(), email, REMOTE_ADDR=it) for it in addresses)


def is_known(client: HTTPSClient, user: User) -> bool:
    """Return whether the browser gets in although the account is blocked elsewhere."""
    guess_from_everywhere(user.email)
    log_in(client, user.email)
    return is_logged_in(client)


@pytest.mark.control("lock-out")
def test_known_device_gets_in_beside_guesses_of_others(
    device: HTTPSClient, member: User
) -> None:
    assert guess_from_everywhere(member.email) == 5
    stranger = HTTPSClient()
    log_in(stranger, member.email)
    assert not is_logged_in(stranger)
    log_in(device, member.email)
    assert is_logged_in(device)


@pytest.mark.control("lock-out")
def test_known_device_gets_in_beside_wrong_passwords_of_its_address(
    member: User,
) -> None:
    device = known_device(member, REMOTE_ADDR=OFFICE)
    emails = [f"somebody{number}@example.com" for number in range(120)]
    guesser = HTTPSClient()
    checked = [is_checked(guesser, email, REMOTE_ADDR=OFFICE) for email in emails]
    assert sum(checked) == 100
    log_in(device, member.email)
    assert is_logged_in(device)


def test_known_device_gets_in_beside_log_ins_of_its_address(
    member: User, settings: Settings
) -> None:
    device = known_device(member, REMOTE_ADDR=OFFICE)
    limits = settings.ACCOUNT_RATE_LIMITS
    settings.ACCOUNT_RATE_LIMITS = limits | {"unknown_device": "3/m/ip"}
    stranger = HTTPSClient(REMOTE_ADDR=OFFICE)
    statuses = [log_in(stranger, "nobody@example.com").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    log_in(device, member.email)
    assert is_logged_in(device)


def test_cookie_is_for_this_host_and_hidden_from_scripts(device: HTTPSClient) -> None:
    cookie = cookie_of(device)
    names = ("secure", "httponly", "samesite", "path", "domain")
    assert [cookie[name] for name in names] == [True, True, "Strict", "/", ""]
    assert timedelta(seconds=int(cookie["max-age"])) == timedelta(days=180)


@pytest.mark.control("lock-out")
def test_cookie_of_another_account_is_that_of_an_unknown_device(
    device: HTTPSClient, member: User, make_user: MakeUser
) -> None:
    victim = make_user("victim@example.com")
    verify_email(victim)
    assert guess_from_everywhere(victim.email) == 5
    assert not is_checked(device, victim.email)
    assert Device.objects.get().failures == 0
    log_in(device, victim.email)
    assert not is_logged_in(device)


def test_forged_cookie_costs_no_query(
    device: HTTPSClient,
    member: User,
    django_assert_num_queries: Any,
    rf: RequestFactory,
) -> None:
    """Otherwise, the time of a refusal would reveal whether an account exists."""
    genuine = cookie_of(device).value
    for value, queries in ((genuine, 1), ("x", 0), (genuine[:-1], 0), ("", 0)):
        for email in (member.email, "nobody@example.com", "nul\0@example.com"):
            request = rf.post(LOGIN)
            request.COOKIES[COOKIE] = value
            with django_assert_num_queries(queries):
                find_device(request, email)


def test_name_of_the_account_may_have_spaces_and_capitals(
    device: HTTPSClient, member: User, rf: RequestFactory
) -> None:
    request = rf.post(LOGIN)
    request.COOKIES[COOKIE] = cookie_of(device).value
    assert find_device(request, f" {member.email.upper()} ")
    assert not find_device(request, f"x{member.email}")


@pytest.mark.control("lock-out")
@pytest.mark.parametrize("change", ["key", "signature", "no separator", "no text"])
def test_forged_cookie_is_that_of_an_unknown_device(
    device: HTTPSClient, member: User, make_user: MakeUser, change: str
) -> None:
    value = cookie_of(device).value
    key, _, signature = value.partition(":")
    forged = {
        "key": f"{known_device(make_user('b@example.com'))}:{signature}",
        "signature": f"{key}:{signature[:-1]}",
        "no separator": key,
        "no text": "",
    }
    device.cookies[COOKIE] = forged[change]
    assert not is_known(device, member)


@pytest.mark.control("lock-out")
def test_device_is_unknown_after_five_wrong_passwords(
    device: HTTPSClient, member: User
) -> None:
    guess_from_everywhere(member.email)
    checked = [is_checked(device, member.email) for _ in range(8)]
    assert checked == [True] * 5 + [False] * 3
    log_in(device, member.email)
    assert not is_logged_in(device)


def test_right_password_forgets_the_wrong_ones(
    device: HTTPSClient, member: User
) -> None:
    guess_from_everywhere(member.email)
    for _ in range(4):
        assert all(is_checked(device, member.email) for _ in range(4))
        log_in(device, member.email)
        assert is_logged_in(device)
        device.post("/accounts/logout/")


def test_parallel_attempts_of_a_device_are_counted_in_advance(member: User) -> None:
    device = Device.objects.create(user=member)
    attempts = [device.take_attempt() for _ in range(8)]
    assert attempts == [True] * MOST_FAILURES + [False] * 3


@pytest.mark.control("lock-out")
def test_new_password_leaves_this_browser_alone_known(
    device: HTTPSClient, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = known_device(member)
    log_in(own, member.email)
    old = HTTPSClient()
    old.cookies[COOKIE] = cookie_of(own).value
    fields = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    own.post("/accounts/password/change/", fields)
    monkeypatch.undo()  # compares the new password
    guess_from_everywhere(member.email)
    own.post("/accounts/logout/")
    for client, is_own in ((device, False), (old, False), (own, True)):
        log_in(client, member.email, NEW)
        assert is_logged_in(client) is is_own


@pytest.mark.control("lock-out")
def test_password_that_a_command_sets_makes_devices_unknown(
    device: HTTPSClient, member: User
) -> None:
    member.set_password(NEW)
    member.save()
    assert not is_known(device, member)


@pytest.mark.control("lock-out")
def test_shared_computer_is_not_kept(device: HTTPSClient, member: User) -> None:
    assert "This computer is shared" in device.get(LOGIN).text
    fields = {"login": member.email, "password": PASSWORD, "shared": "on"}
    browser = HTTPSClient()
    browser.post(LOGIN, fields)
    assert is_logged_in(browser)
    assert COOKIE not in browser.cookies
    assert Device.objects.count() == 1
    device.post(LOGIN, fields)
    assert cookie_of(device).value == ""
    assert not Device.objects.exists()
    device.post("/accounts/logout/")
    log_in(device, member.email)
    assert cookie_of(device).value


@pytest.mark.control("lock-out")
def test_account_keeps_the_five_devices_that_were_used_last(
    device: HTTPSClient, member: User, travel: Travel
) -> None:
    travel(timedelta(minutes=1))
    oldest = known_device(member)
    for _ in range(MOST_DEVICES - 1):
        travel(timedelta(minutes=1))
        log_in(device, member.email)
        device.post("/accounts/logout/")
        known_device(member)
    assert Device.objects.count() == MOST_DEVICES
    guess_from_everywhere(member.email)
    log_in(oldest, member.email)
    assert not is_logged_in(oldest)
    log_in(device, member.email)
    assert is_logged_in(device)


def test_devices_of_a_clock_that_ran_ahead_push_out_no_other(
    member: User, travel: Travel
) -> None:
    travel(timedelta(days=1))
    for _ in range(MOST_DEVICES):
        known_device(member)
    travel(timedelta(days=-1))
    device = known_device(member)
    travel(timedelta(minutes=2))
    known_device(member)
    log_in(device, member.email)
    assert Device.objects.count() == MOST_DEVICES
    assert is_known(device, member)


def test_log_in_keeps_one_device_for_a_browser(
    device: HTTPSClient, member: User, travel: Travel
) -> None:
    before = Device.objects.get()
    travel(timedelta(days=100))
    log_in(device, member.email)
    after = Device.objects.get()
    assert after.pk == before.pk
    assert after.used_at - before.used_at >= timedelta(days=100)


def test_device_ends_half_a_year_after_its_last_log_in(
    device: HTTPSClient, member: User, travel: Travel
) -> None:
    travel(timedelta(days=179))
    delete_expired()
    assert Device.objects.exists()
    travel(timedelta(days=2))
    assert not is_known(device, member)
    delete_expired()
    assert not Device.objects.exists()


def test_log_out_keeps_the_device_and_deletes_all_other_cookies(
    member: User,
) -> None:
    client = HTTPSClient()
    log_in(client, member.email)
    client.cookies["choice"] = "dark"
    # What scripts and subdomains can set, and no server.
    odd = "; ".join(["a[1]=1", "path=1", "1", "x,y=1", *map("c{}=1".format, range(99))])
    cookies = client.cookies.output(attrs=[], header="", sep=";")
    response = client.post("/accounts/logout/", headers={"cookie": f"{cookies}; {odd}"})
    assert "cookies" not in response.headers["Clear-Site-Data"]
    assert response.cookies["choice"]["max-age"] == 0
    assert response.cookies["__Host-sessionid"]["max-age"] == 0
    assert len(response.cookies) < 30
    assert cookie_of(client).value


def test_form_without_a_device_cookie_costs_no_query(
    client: HTTPSClient,
    django_assert_num_queries: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.get(LOGIN)  # loads the page's parts
    monkeypatch.setattr(turns_of_unknown, "wait_seconds", 0.01)
    with turns_of_unknown.hold(), django_assert_num_queries(0):
        assert log_in(client, "owner@example.com").status_code == 503


@pytest.mark.control("V15.2.2")
def test_known_device_has_a_turn_of_its_own(
    device: HTTPSClient, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_of_unknown, "wait_seconds", 0.01)
    monkeypatch.setattr(turns_of_known, "wait_seconds", 0.01)
    with turns_of_unknown.hold():
        assert log_in(HTTPSClient(), member.email).status_code == 503
        log_in(device, member.email)
        assert is_logged_in(device)
        # What a user sends who is logged in, too.
        fields = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
        response = device.post("/accounts/password/change/", fields)
        assert response.status_code == 200
    device.post("/accounts/logout/")
    with turns_of_known.hold():
        assert log_in(device, member.email).status_code == 503


def test_devices_end_with_their_account(device: HTTPSClient, member: User) -> None:
    member.delete()
    assert not Device.objects.exists()


def test_devices_can_be_forgotten(device: HTTPSClient, member: User) -> None:
    forget_devices(member)
    assert not is_known(device, member)


@pytest.mark.control("V15.2.2")
def test_seconds_of_a_network_and_of_an_account_are_kept_for_a_minute(
    member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds_in.cache_clear()
    now = 600.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    client_network.set("192.0.2.0/32")
    device = Device(pk=1, user=member)
    for known in (None, None, device):
        with form_turn(known):
            now += 3
    account = f"account {member.pk}"
    assert seconds_used() == {"192.0.2.0/32": 6, account: 3}
    now += 60
    assert not seconds_used()
