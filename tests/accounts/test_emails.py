"""Emails of accounts name the site, whatever host their requests name."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from pytest_django import Settings

from secure_django.accounts.adapters import AccountAdapter
from secure_django.testing import PASSWORD, HTTPSClient, MakeUser, log_in
from secure_django.testing.people import add_second_factor, code, verify_email
from tests.accounts.test_signup import emailed_code
from users.models import User

SITE = "https://site.example"
OTHER_HOST = "www.site.example"  # the site answers for it too
NEW = "a harbor at noon"
FACTOR = "/accounts/2fa/totp/"
# A stopped clock: no code of an authenticator app expires.
pytestmark = pytest.mark.usefixtures("travel", "run_on_commit")


@pytest.mark.control("host")
def test_no_email_names_the_host_of_its_request(
    user: User, make_user: MakeUser, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SITE_URL = SITE
    settings.ALLOWED_HOSTS = ["site.example", OTHER_HOST]
    verify_email(user)
    contexts = {}
    render = AccountAdapter.render_mail

    def note(self: Any, prefix: str, email: Any, context: Any, *args: Any) -> Any:
        contexts[prefix] = context
        return render(self, prefix, email, context, *args)

    monkeypatch.setattr(AccountAdapter, "render_mail", note)

    def visitor() -> HTTPSClient:
        return HTTPSClient(SERVER_NAME=OTHER_HOST)

    sign_up = {"password1": PASSWORD}
    visitor().post("/accounts/signup/", {"email": "new@example.com", **sign_up})
    visitor().post("/accounts/signup/", {"email": user.email, **sign_up})
    visitor().post("/accounts/password/reset/", {"email": "nobody@example.com"})
    visitor().post("/accounts/password/reset/", {"email": user.email})
    member = visitor()
    log_in(member, user.email)
    member.post("/accounts/reauthenticate/", {"password": PASSWORD})
    member.post("/accounts/email/", {"email": "other@example.com", "action_add": ""})
    member.post("/accounts/confirm-email/", {"code": emailed_code()})
    passwords = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    member.post("/accounts/password/change/", passwords)
    secret = member.get(f"{FACTOR}activate/").context["form"].secret
    member.post(f"{FACTOR}activate/", {"code": code(secret)})
    member.post("/accounts/2fa/recovery-codes/generate/")
    member.post(f"{FACTOR}deactivate/")
    member.post("/accounts/delete/")
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    staff = visitor()
    add_second_factor(admin)
    staff.force_login(admin)
    member_of_staff = make_user("somebody@example.com")
    link = {"action": "send_reset_link", "_selected_action": [member_of_staff.pk]}
    staff.post("/admin/users/user/", link)
    assert EmailAddress.objects.filter(email="new@example.com").exists()

    assert len(contexts) == 11
    assert len(mail.outbox) == 12  # two links
    for message in mail.outbox:
        assert OTHER_HOST not in str(message.message()), message.subject
    for prefix, context in contexts.items():
        assert context["current_site"]["domain"] == "site.example", prefix
        assert context["current_site"]["name"] == settings.SITE_NAME
