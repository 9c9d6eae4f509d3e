"""An account changes while somebody logs in."""

import pytest
from allauth.mfa.models import Authenticator

from secure_django.testing import HTTPSClient, is_logged_in, log_in
from secure_django.testing.people import add_second_factor, code, verify_email
from users.models import User

pytestmark = [
    pytest.mark.tier("whole"),
    # A stopped clock: no code of an authenticator app expires.
    pytest.mark.usefixtures("travel"),
]

CODE = "/accounts/2fa/authenticate/"
LOGIN = "/accounts/login/"


@pytest.fixture
def half_way(client: HTTPSClient, user: User) -> HTTPSClient:
    """Return a client that has sent the password and is asked for the second factor."""
    verify_email(user)
    add_second_factor(user)
    log_in(client, user.email)
    assert client.get(LOGIN).headers["Location"] == CODE
    return client


def test_password_changed_meanwhile_ends_the_log_in(
    half_way: HTTPSClient, user: User
) -> None:
    user.set_password("a quiet lighthouse keeper")
    user.save()
    response = half_way.post(CODE, {"code": code()})
    assert response.headers["Location"] == LOGIN
    assert not is_logged_in(half_way)
    assert half_way.get(LOGIN).status_code == 200


def test_factor_deleted_meanwhile_leads_to_the_log_in(
    half_way: HTTPSClient, user: User
) -> None:
    Authenticator.objects.filter(user=user).delete()
    page = half_way.get(CODE, follow=True)
    assert page.redirect_chain == [(LOGIN, 302)]
    log_in(half_way, user.email)
    assert is_logged_in(half_way)


def test_account_deleted_meanwhile_leads_to_the_log_in(
    half_way: HTTPSClient, user: User
) -> None:
    user.delete()
    response = half_way.post(CODE, {"code": code()}, follow=True)
    assert response.redirect_chain == [(LOGIN, 302)]
