"""How the project limits guesses of passwords."""

from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.core.cache import cache
from pytest_django import Settings

from secure_django.testing import (
    LOGIN,
    PASSWORD,
    PRIVATE,
    HTTPSClient,
    Login,
    is_logged_in,
    log_in,
)
from secure_django.testing.limits import rates
from secure_django.user import User

NEW = "a harbor at noon"
pytestmark = pytest.mark.django_db


@pytest.fixture
def member(user: User) -> User:
    """Return a user who can log in."""
    EmailAddress.objects.create(user=user, email=user.email, verified=True)
    return user


@pytest.mark.control("V6.3.1")
def test_sixth_attempt_is_blocked_for_any_spelling_and_host(
    client: HTTPSClient, member: User
) -> None:
    for number, spelling in enumerate(("owner", "Owner", "OWNER", "oWner", " owner")):
        log_in(
            client,
            f"{spelling}@example.com",
            "wrong",
            headers={"host": f"testserver:{number + 1}"},
        )
    for flood in range(1000):
        cache.set(f"flood{flood}", True)
    response = log_in(client, member.email)
    errors = response.context["form"].errors.as_data()["__all__"]
    assert [error.code for error in errors] == ["too_many_login_attempts"]
    assert not is_logged_in(client)
    # The admin has no log-in of its own.
    assert client.get("/admin/login/").headers["Location"].startswith(LOGIN)


@pytest.mark.control("V6.1.1")
def test_rate_limits_match_the_documentation(settings: Settings) -> None:
    limits_of = {
        "login_failed": "5/5m/key",
        "unknown_device": "600/m/ip",
        "unknown_device_failed": "100/m/ip",
        "reset_password": "20/m/ip",
        "reset_link": "3/30m/key",
    }
    for action, limits in limits_of.items():
        for rate, limit in zip(
            *map(rates, (settings.ACCOUNT_RATE_LIMITS[action], limits)), strict=True
        ):
            assert (rate[0], rate[1] <= limit[1], rate[2] >= limit[2]) == (
                limit[0],
                True,
                True,
            )
    text = Path(
        apps.get_app_config("secure_django_login").path, "SECURITY.md"
    ).read_text(encoding="utf-8")
    assert "five wrong passwords within five minutes" in text
    assert "A hundred within a minute" in text
    assert "three links within half an hour" in text
    # The newest link must outlive the limit: an attacker could leave the owner
    # without a valid one.
    ((_, _, seconds),) = rates(settings.ACCOUNT_RATE_LIMITS["reset_link"])
    assert 2 * seconds <= settings.PASSWORD_RESET_TIMEOUT


@pytest.mark.control("V6.3.1")
def test_old_password_cannot_be_guessed_in_a_session(
    login: Login, member: User
) -> None:
    client = login(member)
    for _ in range(5):
        client.post(
            PRIVATE, {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
        )
    response = client.post(
        PRIVATE, {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    )
    assert response.status_code == 429
    member.refresh_from_db()
    assert member.check_password(PASSWORD)
