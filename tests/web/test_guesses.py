"""Limits of wrong passwords in a project with a log-in of its own."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import aauthenticate, authenticate, login
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from secure_django.testing import PASSWORD
from secure_django.web import guesses
from secure_django.web.guesses import GuessLimitBackend, GuessLimitMiddleware
from users.models import User


@pytest.fixture(autouse=True)
def limits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a password of nobody fail at once, and no window end within a test."""
    settings.AUTHENTICATION_BACKENDS = ["secure_django.web.guesses.GuessLimitBackend"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, guesses.MIDDLEWARE]
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    }
    monkeypatch.setattr(guesses, "WINDOW_SECONDS", 10**9)
    cache.clear()
    yield
    cache.clear()


def guess(name: str, ip: str = "192.0.2.1", **credentials: Any) -> HttpRequest:
    """Try a password, and return the request."""
    request = RequestFactory().post("/", REMOTE_ADDR=ip)
    authenticate(request, username=name, password="wrong", **credentials)
    return request


def answer_to(request: HttpRequest) -> HttpResponse:
    middleware = GuessLimitMiddleware(lambda request: HttpResponse("a form"))
    response = middleware(request)
    assert isinstance(response, HttpResponse)
    return response


def is_refused(request: HttpRequest) -> bool:
    return answer_to(request).status_code == 429


@pytest.mark.control("V6.3.1")
def test_eleventh_guess_of_an_account_is_refused_from_any_network() -> None:
    requests = [guess("ann", f"192.0.2.{number}") for number in range(10)]
    assert not any(map(is_refused, requests))
    late = answer_to(guess("ann", "198.51.100.1"))
    assert late.status_code == 429
    assert int(late.headers["Retry-After"]) > 0
    assert late.headers["Cache-Control"] == "no-store"
    assert not is_refused(guess("bob"))


@pytest.mark.control("V6.3.1")
@pytest.mark.parametrize("spelling", ["ANN", " ann ", "\uff41nn"])
def test_another_spelling_is_the_same_account(spelling: str) -> None:
    for _ in range(10):
        guess("ann")
    assert is_refused(guess(spelling))


@pytest.mark.control("V6.3.1")
def test_guesses_of_many_accounts_from_a_network_are_refused() -> None:
    requests = [guess(f"user {number}", f"2001:db8::{number}") for number in range(100)]
    assert not any(map(is_refused, requests))
    assert is_refused(guess("another", "2001:db8::ffff"))
    assert not is_refused(guess("yet another", "2001:db8:1::1"))


@pytest.mark.django_db
def test_log_in_forgets_the_guesses_of_its_own_account_alone(user: User) -> None:
    for _ in range(10):
        guess("ann")
        request = guess("bob")
    request.session = SessionStore()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert not is_refused(guess("bob"))
    assert is_refused(guess("ann"))


@pytest.mark.django_db
def test_log_in_without_a_request_forgets_the_guesses(user: User) -> None:
    for _ in range(10):
        authenticate(username=user.get_username().upper(), password="wrong")
    request = RequestFactory().post("/")
    request.session = SessionStore()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert not is_refused(guess(user.get_username()))


def test_log_in_without_a_name_counts_for_no_account() -> None:
    for _ in range(20):
        request = guess("", token="invented")
    assert not is_refused(request)


def test_coroutine_counts_too() -> None:
    async def guess_often() -> HttpRequest:
        request = RequestFactory().post("/")
        for _ in range(11):
            await aauthenticate(request, username="ann", password="wrong")
        return request

    assert is_refused(asyncio.run(guess_often()))


@pytest.mark.control("V6.3.1")
@pytest.mark.django_db
def test_right_password_is_refused_over_the_limit(
    user: User, settings: Settings
) -> None:
    own = "django.contrib.auth.backends.ModelBackend"
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, own]
    user.set_password(PASSWORD)
    user.save()
    right = {"username": user.get_username(), "password": PASSWORD}
    assert authenticate(RequestFactory().post("/"), **right) == user
    for _ in range(9):
        guess(user.get_username())
    assert authenticate(RequestFactory().post("/"), **right) is None


def test_missing_settings_are_named(settings: Settings) -> None:
    del settings.TRUSTED_PROXY_COUNT
    with pytest.raises(ImproperlyConfigured, match="needs TRUSTED_PROXY_COUNT"):
        GuessLimitBackend()
    settings.TRUSTED_PROXY_COUNT = 0
    settings.MIDDLEWARE = []
    with pytest.raises(ImproperlyConfigured, match='Add "secure_django'):
        GuessLimitBackend()
