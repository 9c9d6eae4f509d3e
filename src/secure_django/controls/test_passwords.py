"""Which passwords the project takes, and how it stores them."""

import hashlib

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from pytest_django import Settings

from secure_django.user import User


@pytest.mark.django_db
@pytest.mark.control("V6.2.1")
@pytest.mark.control("V6.2.4")
@pytest.mark.control("V6.2.11")
@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("aB3$xyzQ9!k", "password_too_short"),
        ("1q2w3e4r5t6y", "password_too_common"),
        ("8150927364820193", "password_entirely_numeric"),
        ("owner@example.com", "password_too_similar"),
        ("my-harbor-site-4711", "password_names_site"),
        ("blue-boat-4711-and-so-on", "password_names_site"),
    ],
)
def test_weak_password_is_rejected_with_its_reason(
    password: str, code: str, settings: Settings
) -> None:
    settings.SITE_NAME, settings.DOMAIN_NAME = "Harbor Site", "blue.example"
    with pytest.raises(ValidationError) as rejection:
        validate_password(password, User(email="owner@example.com"))
    assert code in {error.code for error in rejection.value.error_list}
    (length,) = [
        validator["OPTIONS"]["min_length"]
        for validator in settings.AUTH_PASSWORD_VALIDATORS
        if "min_length" in validator.get("OPTIONS", {})
    ]
    assert length >= 12
    settings.SITE_NAME = "Cha"  # too short a name to forbid
    validate_password(
        "twelve chars, or as many as you ask for"[:length],
        User(email="owner@example.com"),
    )


@pytest.mark.control("V11.4.2")
def test_password_is_stored_as_argon2id(user: User) -> None:
    algorithm, variety, _, costs, *_ = user.password.split("$")
    assert (algorithm, variety) == ("argon2", "argon2id")
    memory, passes, lanes = (int(cost[2:]) for cost in costs.split(","))
    assert memory >= 19_456
    assert passes >= 2
    assert lanes >= 1


@pytest.mark.control("V11.4.1")
def test_password_stored_with_a_weak_hash_is_not_accepted(user: User) -> None:
    user.password = (
        "md5$salt$" + hashlib.md5(b"saltanything", usedforsecurity=False).hexdigest()
    )
    assert not user.check_password("anything")


@pytest.mark.control("V6.3.2")
@pytest.mark.django_db
def test_new_database_has_no_accounts() -> None:
    assert not User.objects.exists()
