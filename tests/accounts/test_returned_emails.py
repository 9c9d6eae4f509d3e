"""A person whose emails came back, or were reported as spam, and what staff see."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import mail as django_mail
from django.core.mail import send_mail
from django.urls import reverse

from secure_django.mail import suppressions
from secure_django.mail.outbox import send_waiting
from secure_django.models import Suppression
from secure_django.testing import PASSWORD, HTTPSClient, Login, MakeUser
from secure_django.testing.people import verify_email
from users.models import User

BOUNCE = Suppression.Reason.BOUNCE
COMPLAINT = Suppression.Reason.COMPLAINT
PAGES = ["account_profile", "account_email"]
LIST = "admin:secure_django_suppression_changelist"
pytestmark = pytest.mark.django_db


@pytest.fixture
def blocked(user: User) -> User:
    verify_email(user)
    suppressions.block(user.email, BOUNCE, "postmark")
    return user


@pytest.fixture
def support(make_user: MakeUser) -> User:
    """Return a person of the staff who may see and lift blocked addresses."""
    person = make_user("support@example.com", is_staff=True)
    names = ["view_suppression", "delete_suppression"]
    person.user_permissions.set(Permission.objects.filter(codename__in=names))
    return person


def send(to: str) -> list[str]:
    """Let the worker send an email, and return who has got one."""
    django_mail.outbox.clear()
    send_mail("Hello", "Text", None, [to])
    while send_waiting():
        pass
    return [recipient for message in django_mail.outbox for recipient in message.to]


@pytest.mark.control("suppressions")
@pytest.mark.usefixtures("outbox")
@pytest.mark.parametrize("page", PAGES)
def test_person_sees_that_emails_came_back_and_tries_again(
    page: str, blocked: User, login: Login
) -> None:
    client = login(blocked)
    assert send(blocked.email) == []
    words = f"Emails to {blocked.email} came back"
    shown = client.get(reverse(page)).text
    assert words in shown
    assert f'action="{reverse("account_resume_emails")}"' in shown
    response = client.post(reverse("account_resume_emails"), follow=True)
    assert "We send emails to you again." in response.text
    assert words not in response.text
    assert send(blocked.email) == [blocked.email]


@pytest.mark.control("suppressions")
@pytest.mark.usefixtures("outbox")
@pytest.mark.parametrize("page", PAGES)
def test_person_cannot_lift_a_complaint(
    page: str, blocked: User, login: Login, settings: Any
) -> None:
    suppressions.block(blocked.email, COMPLAINT, "postmark")
    client = login(blocked)
    shown = client.get(reverse(page)).text
    assert f"An email to {blocked.email} was reported as spam" in shown
    assert f"write to {settings.SECURITY_CONTACT}" in shown
    assert reverse("account_resume_emails") not in shown
    response = client.post(reverse("account_resume_emails"), follow=True)
    assert "We send emails to you again." not in response.text
    assert send(blocked.email) == []


@pytest.mark.control("suppressions")
def test_person_lifts_only_the_own_address(
    blocked: User, other_user: User, login: Login
) -> None:
    client = login(other_user)
    for page in PAGES:
        assert "came back" not in client.get(reverse(page)).text
    client.post(reverse("account_resume_emails"), {"email": blocked.email})
    assert suppressions.find(blocked.email)


def test_person_tries_again_five_times_a_day(blocked: User, login: Login) -> None:
    client = login(blocked)
    url = reverse("account_resume_emails")
    statuses = [client.post(url).status_code for _ in range(6)]
    assert statuses == [302] * 5 + [429]


@pytest.mark.control("suppressions")
@pytest.mark.usefixtures("outbox")
def test_pages_for_visitors_do_not_tell_whose_emails_came_back(
    blocked: User, make_user: MakeUser
) -> None:
    verify_email(make_user("fine@example.com"))
    suppressions.block("stranger@example.com", COMPLAINT, "postmark")
    pairs = [
        (blocked.email, "fine@example.com"),
        ("stranger@example.com", "nobody@example.com"),
    ]
    for pair in pairs:
        for page in ("account_signup", "account_reset_password"):
            first, second = (answer(page, email) for email in pair)
            assert first == second


@pytest.mark.control("suppressions")
@pytest.mark.usefixtures("outbox")
def test_page_of_the_code_tells_everyone_that_none_may_come(
    user: User, login: Login
) -> None:
    verify_email(user)
    suppressions.block("gone@example.com", BOUNCE, "postmark")
    pages = []
    for email in ("gone@example.com", "fine@example.com"):
        client = login(user)
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        fields = {"email": email, "action_add": ""}
        response = client.post(reverse("account_email"), fields, follow=True)
        assert "We send nothing to an address" in response.text
        pages.append(neutral(response.text, email))
    assert pages[0] == pages[1]


def answer(page: str, email: str) -> list[tuple[int, str]]:
    """Return the answers to a form, without what differs for each request."""
    client = HTTPSClient()
    fields = {"email": email, "password1": PASSWORD, "name": "Ann"}
    response: Any = client.post(reverse(page), fields)
    followed = client.get(response.url) if response.status_code == 302 else response
    return [(it.status_code, neutral(it.text, email)) for it in (response, followed)]


def neutral(text: str, email: str) -> str:
    varying = r'nonce="[^"]*"|value="[^"]*"|request_id: \w+|[0-9a-f]{32}'
    return re.sub(varying, "", text.replace(email, "EMAIL"))


@pytest.mark.control("suppressions")
@pytest.mark.usefixtures("outbox")
def test_staff_find_an_address_and_send_to_it_again(
    blocked: User, support: User, login: Login
) -> None:
    suppressions.block("other@example.com", COMPLAINT, "mailgun")
    send(blocked.email)
    client = login(support)
    everything = client.get(reverse(LIST))
    assert len(everything.context["cl"].result_list) == 2
    assert blocked.email not in everything.text
    found = client.get(reverse(LIST), {"q": f" {blocked.email.upper()} "})
    (row,) = found.context["cl"].result_list
    assert (row.reason, row.unsent) == (BOUNCE, 1)
    assert not client.get(reverse(LIST), {"q": "owner"}).context["cl"].result_list
    page = reverse("admin:secure_django_suppression_delete", args=[row.pk])
    client.post(page, {"post": "yes"})
    assert send(blocked.email) == [blocked.email]


@pytest.mark.parametrize("text", ["(" * 4000, "<" * 4000, "\0", "a@é." * 900])
def test_search_of_staff_takes_any_text(text: str, support: User, login: Login) -> None:
    client = login(support)
    assert client.get(reverse(LIST), {"q": text}).status_code == 200


def test_staff_enter_and_change_no_blocked_address(
    blocked: User, support: User, login: Login
) -> None:
    names = ["add_suppression", "change_suppression"]
    permissions = Permission.objects.filter(codename__in=names)
    support.user_permissions.add(*permissions)
    client = login(support)
    row = Suppression.objects.get()
    add = reverse("admin:secure_django_suppression_add")
    assert client.get(add).status_code == 403
    change = reverse("admin:secure_django_suppression_change", args=[row.pk])
    assert client.post(change, {"reason": "complaint"}).status_code == 403
    assert client.get(change).status_code == 200


@pytest.mark.usefixtures("blocked")
def test_staff_without_permission_see_no_blocked_addresses(
    make_user: MakeUser, login: Login
) -> None:
    client = login(make_user("staff@example.com", is_staff=True))
    assert client.get(reverse(LIST)).status_code == 403
