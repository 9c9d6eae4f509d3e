"""Who gets what a user gives to the owner of an email."""

from typing import Any
from unittest.mock import patch

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from secure_django.mail import find_recipient
from secure_django.testing import MakeUser
from secure_django.testing.people import verify_email
from users.models import User

EMAIL = "owner@example.com"
pytestmark = pytest.mark.django_db


def test_only_an_active_user_with_a_proved_email_is_found(
    user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert find_recipient(EMAIL) is None  # the sign-up may be another person's
    verify_email(user)
    for spelling in (EMAIL, "Owner@EXAMPLE.com", f" {EMAIL}\n"):
        with django_assert_num_queries(1):
            assert find_recipient(spelling) == user
    User.objects.update(is_active=False)
    assert find_recipient(EMAIL) is None


@pytest.mark.parametrize(
    "email",
    [
        *("", "@", "other@example.com", "owner", f"{EMAIL}, {EMAIL}"),
        *("owner@example.com\0", "\ud800@example.com", "own%r@example.com"),
        "\u00f6wner@example.com",
    ],
)
def test_other_texts_find_nobody(email: str, user: User) -> None:
    verify_email(user)
    assert find_recipient(email) is None


def test_character_that_the_database_takes_for_equal_finds_nobody(
    make_user: MakeUser,
) -> None:
    verify_email(make_user("tim@example.com"))
    dotless = "t\u0131m@example.com"
    database: Any = connection
    assert find_recipient(dotless) is None
    # Such as PostgreSQL, which compares both in upper case.
    with (
        patch("secure_django.mail.recipients.is_lower_case", return_value=False),
        patch.dict(database.operators, iexact="LIKE '%%' || %s || '%%'"),
    ):
        assert find_recipient("im@example.com") is None
        assert find_recipient("TIM@example.com") is not None


def test_email_that_waits_for_its_proof_finds_nobody(user: User) -> None:
    verify_email(user)
    EmailAddress.objects.create(user=user, email="new@example.com", verified=False)
    assert find_recipient("new@example.com") is None
    assert find_recipient(EMAIL) == user
    EmailAddress.objects.filter(email=EMAIL).delete()
    assert find_recipient(EMAIL) is None


def test_without_accounts_staff_vouch_for_an_email(
    user: User, settings: Settings
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "none"
    assert find_recipient("Owner@example.com") == user
    # Accounts were there before: this sign-up has proved nothing.
    EmailAddress.objects.create(user=user, email=EMAIL, verified=False)
    assert find_recipient(EMAIL) is None
