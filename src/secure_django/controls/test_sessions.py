"""How long a session of the project lasts, and what ends it."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.contrib.sessions.backends.base import SessionBase
from pytest_django import Settings

from secure_django.testing import PRIVATE, HTTPSClient, Login, Travel, is_logged_in
from secure_django.testing.dump import find_in_dump, stored_values
from secure_django.user import User


@pytest.mark.control("V7.3.1")
def test_idle_session_ends(
    login: Login, user: User, travel: Travel, settings: Settings
) -> None:
    assert settings.SESSION_COOKIE_AGE <= 30 * 60
    client, idle, minute = (
        login(user),
        timedelta(seconds=settings.SESSION_COOKIE_AGE),
        timedelta(minutes=1),
    )
    for time, alive in (
        (minute, True),
        (idle - minute, True),
        (idle - minute, True),
        (idle + minute, False),
    ):
        travel(time)
        assert is_logged_in(client) is alive


@pytest.mark.control("V7.3.2")
def test_active_session_ends_until_the_next_log_in(
    login: Login, user: User, travel: Travel, settings: Settings
) -> None:
    absolute = settings.SESSION_ABSOLUTE_AGE
    assert absolute <= timedelta(hours=8)
    pages = 2 * absolute // timedelta(seconds=settings.SESSION_COOKIE_AGE)
    for part in (0.99, 1):
        client = login(user)
        for _ in range(pages):
            assert is_logged_in(client)
            travel(part * absolute / pages)
        assert is_logged_in(client) is (part < 1)


@pytest.mark.control("V7.4.1")
@pytest.mark.control("V14.3.1")
def test_log_out_ends_the_session_and_clears_the_browser(
    login: Login, user: User
) -> None:
    client = login(user)
    client.get(PRIVATE)
    stolen = client.cookies["__Host-sessionid"].value
    response = client.post("/accounts/logout/")
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    # Not all cookies: the one of a known device stays.
    assert response.cookies["__Host-sessionid"]["max-age"] == 0
    client.cookies["__Host-sessionid"] = stolen
    assert not is_logged_in(client)


@pytest.mark.control("V7.2.1")
@pytest.mark.control("V7.2.3")
def test_session_id_is_random(login: Login, user: User) -> None:
    keys = set()
    for _ in range(2):
        client = login(user)
        keys.add(str(client.session.session_key))
        client.logout()
    assert len(keys) == 2
    # 36 to the 32nd: 165 bits.
    assert all(len(key) == 32 and key.isalnum() for key in keys)
    client = HTTPSClient()
    client.cookies["__Host-sessionid"] = "a" * 32
    assert not is_logged_in(client)


@pytest.mark.control("dump")
def test_copy_of_the_database_opens_no_session(
    login: Login, user: User, settings: Settings
) -> None:
    client = login(user)
    assert is_logged_in(client)
    assert not find_in_dump(client.cookies["__Host-sessionid"].value)
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    values = list(stored_values())
    for _, value in values:
        assert store(value.decode(errors="replace")).load() == {}
    for text in {value for table, value in values if "session" in table}:
        thief = HTTPSClient()
        thief.cookies["__Host-sessionid"] = text.decode()
        assert not is_logged_in(thief)


@pytest.mark.control("V7.4.2")
def test_disabled_user_is_logged_out_at_once(login: Login, user: User) -> None:
    client = login(user)
    assert is_logged_in(client)
    User.objects.update(is_active=False)
    assert not is_logged_in(client)
