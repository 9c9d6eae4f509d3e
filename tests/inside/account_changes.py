"""Copied into a generated project with accounts: an account changes while somebody logs in or confirms an email."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: I001, INP001

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail

from accounts.forms import ConfirmEmailVerificationCodeForm
from accounts.tests.people import add_second_factor, code, verify_email
from core.testing import PASSWORD, HTTPSClient, MakeUser, is_logged_in, log_in
from users.models import User

CODE, LOGIN = "/accounts/2fa/authenticate/", "/accounts/login/"


@pytest.fixture
def half_way(client: HTTPSClient, user: User) -> HTTPSClient:
    """Return a client that has sent the password and is asked for the second factor."""
    verify_email(user)
    add_second_factor(user)
    log_in(client, user.email)
    assert client.get(LOGIN).headers["Location"] == CODE
    return client


def test_password_changed_meanwhile_ends_the_log_in(half_way: HTTPSClient, user: User) -> None:
    user.set_password("a quiet lighthouse keeper")
    user.save()
    assert half_way.post(CODE, {"code": code()}).headers["Location"] == LOGIN
    assert not is_logged_in(half_way)
    assert half_way.get(LOGIN).status_code == 200


def test_log_in_without_a_change_goes_on(half_way: HTTPSClient) -> None:
    half_way.post(CODE, {"code": code()})
    assert is_logged_in(half_way)


def test_factor_deleted_meanwhile_leads_to_the_log_in(half_way: HTTPSClient, user: User) -> None:
    Authenticator.objects.filter(user=user).delete()
    page = half_way.get(CODE, follow=True)
    assert page.redirect_chain == [(LOGIN, 302)]
    log_in(half_way, user.email)
    assert is_logged_in(half_way)


def test_account_deleted_meanwhile_leads_to_the_log_in(half_way: HTTPSClient, user: User) -> None:
    user.delete()
    assert half_way.post(CODE, {"code": code()}, follow=True).redirect_chain == [(LOGIN, 302)]


@pytest.mark.usefixtures("run_on_commit")
def test_email_taken_meanwhile_changes_nothing(
    client: HTTPSClient, user: User, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_email(user)
    log_in(client, user.email)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/email/", {"action_add": "", "email": "new@example.com"})
    sent = re.findall(r"\b[A-Z]{4}-[A-Z]{4}\b", str(mail.outbox[-1].body))[0]
    check = ConfirmEmailVerificationCodeForm.clean_code

    def check_and_lose(form: ConfirmEmailVerificationCodeForm) -> str:
        checked = check(form)
        make_user("new@example.com")
        return checked

    monkeypatch.setattr(ConfirmEmailVerificationCodeForm, "clean_code", check_and_lose)
    page = client.post("/accounts/confirm-email/", {"code": sent}, follow=True).content.decode()
    assert "already confirmed by a different account" in page
    assert EmailAddress.objects.values_list("email", "verified", "primary").get() == (user.email, True, True)
    user.refresh_from_db()
    assert user.email == "owner@example.com"
