"""An email that cannot be sent to is refused where a person types it."""

import itertools
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, mailers
from django.core.management import CommandError, call_command
from django.core.validators import validate_email
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from secure_django.testing import PASSWORD, HTTPSClient, log_in
from secure_django.testing.people import verify_email
from secure_django.validators import validate_recipient
from users.models import User

# Django's own rule accepts them.
UNSENDABLE = [
    "t\u0131m@example.com",  # a dotless i
    "\u017fam@example.com",  # a long s
    '"\u0131"@example.com',
    f"a@{'\u00fc' * 60}.example",  # longer than a label in Punycode
    "=?utf-8?q?=0a?=@example.com",
    '"a\x0bb"@example.com',
]
WORDS = "Enter a valid email address."
CHARACTERS = [*map(chr, range(1, 128)), *"\u0130\u0131\u017f\u00fc\u212a"]
pytestmark = pytest.mark.django_db


def post(client: Client, page: str, **fields: str) -> str:
    return client.post(reverse(page), fields, follow=True).text


@pytest.mark.parametrize("email", UNSENDABLE)
def test_email_that_cannot_be_sent_to_is_refused_at_each_form(
    email: str, client: HTTPSClient, user: User
) -> None:
    validate_email(email)
    assert WORDS in post(client, "account_signup", email=email, password1=PASSWORD)
    assert WORDS in post(client, "account_reset_password", email=email)
    verify_email(user)
    log_in(client, user.email)
    post(client, "account_reauthenticate", password=PASSWORD)
    assert WORDS in post(client, "account_email", email=email, action_add="")
    with pytest.raises(CommandError, match=WORDS):
        call_command("createsuperuser", interactive=False, email=email)
    assert User.objects.count() == 1
    assert not mail.outbox


@pytest.mark.parametrize("page", ["add", "change"])
def test_form_of_the_admin_refuses_an_email_that_cannot_be_sent_to(
    page: str, client: HTTPSClient, powerful_staff: User, user: User
) -> None:
    client.force_login(powerful_staff)
    arguments = [user.pk] if page == "change" else []
    url = reverse(f"admin:users_user_{page}", args=arguments)
    form = client.post(url, {"email": UNSENDABLE[0]}).context["adminform"].form
    assert form.errors["email"] == [WORDS]


def test_other_fields_of_a_user_from_before_the_rule_can_be_changed(user: User) -> None:
    user.email = UNSENDABLE[0]
    user.full_clean(exclude=["email"])


def test_each_email_that_is_accepted_can_be_sent_to(settings: Settings) -> None:
    backend = "django.core.mail.backends.smtp.EmailBackend"
    settings.MAILERS = {"smtp": {"BACKEND": backend, "OPTIONS": {"host": "localhost"}}}
    server: Any = mailers["smtp"]
    shapes = ("a{}b@example.com", '"a{}b"@example.com', '"\\{}"@example.com', "a@{}.fr")
    accepted = 0
    for shape, character in itertools.product(shapes, CHARACTERS):
        email = shape.format(character)
        try:
            validate_email(email)
            validate_recipient(email)
        except ValidationError:
            continue
        accepted += 1
        EmailMessage("Hello", "Text", "site@example.com", [email]).message().as_bytes()
        server.prep_address(email)
    assert accepted > 300
