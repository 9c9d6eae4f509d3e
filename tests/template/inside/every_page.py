"""Copied into a generated project beside languages.py.

These are the pages and texts that the guard leaves out.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ARG005, I001, INP001, PLC0415

from datetime import timedelta

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.functional import Promise

from secure_django.testing import HTTPSClient, Login, MakePhoto, MakeUser, Travel
from secure_django.guard.access import ROUTES
from tests.languages import FIXED, found, read_html, record, unmarked
from secure_django.guard.world import World
from secure_django.web.error_pages import error_page
from secure_django.photos.images import ERROR_MESSAGES, OTHER_FORMATS
from secure_django.photos.models import Status
from secure_django.photos.notices import send_due_notices
from secure_django.photos.purposes import PURPOSES
from secure_django.photos.services import review_photo
from users.models import User

with_accounts = pytest.mark.skipif(
    not apps.is_installed("secure_django.accounts"),
    reason="the project has no sign-up",
)


def visit(client: HTTPSClient, url: str) -> None:
    """Open a page, send its form empty and with nonsense, and follow where it leads."""
    client.get(url, follow=True)
    fields = [
        "title",
        "email",
        "login",
        "reason",
        "code",
        "name",
        "oldpassword",
        "password",
        "password1",
        "password2",
    ]
    for values in ({}, dict.fromkeys(fields, "?")):
        client.post(url, values, follow=True)


@pytest.mark.parametrize("person", ["anonymous", "owner", "staff", "superuser"])
def test_every_url(
    person: str,
    client: HTTPSClient,
    make_user: MakeUser,
    make_photo: MakePhoto,
) -> None:
    """Visit every URL as each kind of user, with photos of each status."""
    for status in (Status.APPROVED, Status.REJECTED, Status.REVIEW):
        for name in {"test", "gallery.picture.photo"} & PURPOSES.keys():
            make_photo(purpose=PURPOSES[name], status=status)
    world = World()
    staff = make_user("staff@example.com", is_staff=True)
    staff.user_permissions.set(
        Permission.objects.filter(content_type__app_label="secure_django_photos")
    )
    superuser = make_user("root@example.com", is_staff=True, is_superuser=True)
    accounts = {"staff": staff, "superuser": superuser}
    for route in sorted(
        ROUTES, key=lambda route: "logout" in route or "delete" in route
    ):
        if person != "anonymous":
            account = accounts.get(person) or world.people_of(route)["owner"]
            client.force_login(User.objects.filter(pk=account.pk).first() or account)
        visit(client, world.url(route))


@pytest.mark.parametrize(
    "name", ["400", "403", "403_csrf", "404", "405", "413", "429", "500", "503"]
)
def test_every_error_page(name: str) -> None:
    """Read an error page as it is without a request."""
    read_html(
        f"error.html for {name}", error_page(HttpRequest(), name=name).content.decode()
    )


def test_every_reason_to_refuse_a_file() -> None:
    """Find no reason that is fixed before the language is known."""
    assert all(
        isinstance(text, Promise)
        for text in [*ERROR_MESSAGES.values(), *OTHER_FORMATS.values()]
    )


def test_password_page_of_a_user_without_password(login: Login, user: User) -> None:
    """Open the page that sets the first password."""
    user.set_unusable_password()
    user.save()
    visit(login(user), "/accounts/password/set/")


@with_accounts
def test_pages_and_emails_of_passkeys(
    login: Login, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open the pages of a passkey, and read the messages and emails about it."""
    from secure_django.testing.people import prove_second_factor, recovery_codes
    from allauth.account.adapter import get_adapter
    from allauth.core import context
    from allauth.mfa.models import Authenticator
    from allauth.mfa.webauthn.internal import auth
    from django.test import RequestFactory

    data = {"name": "LAPTOP", "credential": {"clientExtensionResults": {}}}
    passkey = Authenticator.objects.create(
        user=user, type=Authenticator.Type.WEBAUTHN, data=data
    )
    monkeypatch.setattr(auth, "get_credentials", lambda user: [])
    monkeypatch.setattr(
        auth,
        "begin_authentication",
        lambda user=None: {"publicKey": {"allowCredentials": [1]}},
    )
    client = login(user)
    client.get("/accounts/2fa/webauthn/reauthenticate/")
    prove_second_factor(client, user)
    recovery_codes(user)
    for page in (
        f"keys/{passkey.pk}/edit/",
        f"keys/{passkey.pk}/remove/",
        "add/",
        "reauthenticate/",
        "",
    ):
        client.get(f"/accounts/2fa/webauthn/{page}", follow=True)
    for page in ("", "recovery-codes/", "recovery-codes/generate/", "totp/deactivate/"):
        client.get(f"/accounts/2fa/{page}", follow=True)
    request = RequestFactory(HTTP_USER_AGENT="?").get("/", secure=True)
    request.user = user
    with context.request_context(request):
        for event in ("added", "removed"):
            get_adapter().send_notification_mail(f"mfa/email/webauthn_{event}", user)
            record(
                event,
                [unmarked(render_to_string(f"mfa/messages/webauthn_{event}.txt"))],
            )


def test_email_about_decisions(
    make_photo: MakePhoto, reviewer: User, travel: Travel
) -> None:
    """Send the email about an approved and a rejected photo."""
    for decision in ("approved", "rejected"):
        review_photo(make_photo(), reviewer, decision, "DARK")
    travel(timedelta(days=1))
    send_due_notices()


def test_texts_without_marks_are_noticed() -> None:
    """Prove that a text without marks is found."""
    record("here", [unmarked("⟦Marked⟧ 12"), unmarked("Not marked"), unmarked("⟦Cut")])
    assert found.pop("Not marked")
    assert found.pop("⟦Cut")
    assert not FIXED.sub("", settings.DEFAULT_FROM_EMAIL)
