"""Second factors: storage, attacks on them, and the requirement for staff."""

import re
import time
from functools import partial
from io import StringIO

import pytest
from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import include, path
from pytest_django import Settings

from config import urls
from secure_django.encryption import ContextError, encrypt
from secure_django.guard.access import ROUTES, open_page, outcome, row_for
from secure_django.guard.world import World
from secure_django.testing import (
    LOGIN,
    PASSWORD,
    HTTPSClient,
    Login,
    MakeUser,
    is_logged_in,
    log_in,
)
from secure_django.testing.people import (
    SECRET,
    add_second_factor,
    code,
    recovery_codes,
    verify_email,
)
from tests.accounts.passkey import Passkey
from tests.events import fields_of
from users.models import User

# A stopped clock: no code of an authenticator app expires.
pytestmark = pytest.mark.usefixtures("travel")

CODE = "/accounts/2fa/authenticate/"
ACTIVATE = "/accounts/2fa/totp/activate/"
ADD_PASSKEY = "/accounts/2fa/webauthn/add/"
# As if secure_django/accounts/urls.py left out no page.
urlpatterns = [*urls.urlpatterns, path("accounts/", include("allauth.urls"))]
handler403 = urls.handler403


@pytest.fixture
def staff(make_user: MakeUser) -> User:
    """Return a superuser with a verified email and without a second factor."""
    person = make_user("admin@example.com", is_staff=True, is_superuser=True)
    verify_email(person)
    return person


@pytest.mark.control("V6.3.3")
@pytest.mark.parametrize("role", ["is_staff", "is_superuser"])
def test_staff_without_second_factor_are_treated_as_anonymous(
    role: str, client: HTTPSClient, make_user: MakeUser
) -> None:
    world = World()
    person = make_user("staff@example.com", **{role: True})
    Client.force_login(client, person)  # HTTPSClient's would add a second factor
    for route in ROUTES:
        row = row_for(route)
        if row and not route.startswith("/accounts/"):
            response = open_page(client, world.url(route))
            assert outcome(response) == row.answers[0], route
    page = client.get("/admin/", follow=True)
    assert page.redirect_chain[-1] == ("/accounts/2fa/?next=%2Fadmin%2F", 302)
    assert "Authenticator app" in page.text


def test_menu_of_staff_without_second_factor_shows_what_works(
    client: HTTPSClient, staff: User
) -> None:
    Client.force_login(client, staff)
    for page, more in (("/", {"/accounts/2fa/"}), ("/accounts/2fa/", set())):
        menu = client.get(page).text.partition("<header>")[2].partition("</header>")[0]
        links = re.findall(r'href="(.+?)"', menu)
        reached = {client.get(link, follow=True).request["PATH_INFO"] for link in links}
        assert reached == {"/", "/accounts/profile/"} | more
        assert 'action="/accounts/logout/"' in menu


@pytest.mark.control("V6.3.3")
@pytest.mark.django_db
@pytest.mark.usefixtures("run_on_commit")
def test_first_administrator_sets_up_a_second_factor_at_once(
    client: HTTPSClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command(
        "createsuperuser", email="Admin@example.com", interactive=False, verbosity=0
    )
    older_browser = HTTPSClient()
    url = "/admin/secure_django_photos/photo/"
    for browser in (older_browser, client):
        login_page = browser.get(url, follow=True).redirect_chain[-1][0]
        page = browser.post(
            login_page,
            {"login": "admin@example.com", "password": PASSWORD, "next": url},
            follow=True,
        )
        assert (
            page.redirect_chain[-1][0]
            == "/accounts/2fa/?next=%2Fadmin%2Fsecure_django_photos%2Fphoto%2F"
        )
    # Neither an emailed code nor the password once more.
    secret = client.get(ACTIVATE).context["form"].secret
    page = client.post(ACTIVATE, {"code": code(secret)}, follow=True)
    assert len(page.context["unused_codes"]) == 10
    assert f'<a class="button quiet" href="{url}">Continue</a>' in page.text
    authenticator = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert secret not in str(authenticator.data)
    assert client.get(url).status_code == 200
    assert client.get(ADD_PASSKEY).status_code == 200
    # The recovery codes prove nothing.
    assert client.session["account_authentication_methods"][-1]["type"] == "totp"
    # The older session has ended, and a password alone is no longer enough.
    assert older_browser.get("/accounts/email/").status_code == 302
    log_in(older_browser, "admin@example.com")
    assert older_browser.get(url).status_code == 302
    assert "An authenticator app was added" in str(mail.outbox[-1].body)
    added = fields_of(caplog, "authn_factor_added")
    assert added[0]["factor"] == "totp"
    assert EmailAddress.objects.values_list("email", "verified", "primary").get() == (
        "admin@example.com",
        True,
        True,
    )


def test_staff_are_led_from_the_log_in_to_their_second_factor(
    client: HTTPSClient, staff: User
) -> None:
    page = client.post(LOGIN, {"login": staff.email, "password": PASSWORD}, follow=True)
    assert page.redirect_chain[-1][0] == "/accounts/2fa/?next=%2F"


@pytest.mark.control("V3.7.2")
@pytest.mark.usefixtures("run_on_commit")
def test_set_up_of_a_second_factor_leads_to_no_other_site(
    client: HTTPSClient, staff: User
) -> None:
    log_in(client, staff.email)
    client.get(LOGIN, {"next": "https://example.org/"})
    secret = client.get(ACTIVATE).context["form"].secret
    page = client.post(ACTIVATE, {"code": code(secret)}, follow=True)
    assert '<a class="button quiet" href="/">Continue</a>' in page.text


@pytest.mark.control("V6.3.3")
def test_older_session_must_prove_the_second_factor(
    client: HTTPSClient, staff: User
) -> None:
    log_in(client, staff.email)
    passkey = Authenticator(user=staff, type=Authenticator.Type.WEBAUTHN, data={})
    for change in (passkey.save, passkey.delete, partial(add_second_factor, staff)):
        change()
        assert client.get("/admin/").status_code == 302
        page = "reauthenticate/" if Authenticator.objects.exists() else ""
        assert (
            client.get("/accounts/login/").headers["Location"]
            == f"/accounts/2fa/{page}?next=%2F"
        )
    # By default, allauth would accept the password here.
    response = client.post(
        "/accounts/reauthenticate/?next=/admin/", {"password": PASSWORD}
    )
    assert response.headers["Location"].startswith("/accounts/2fa/reauthenticate/")
    client.post("/accounts/2fa/reauthenticate/", {"code": code()})
    assert client.get("/admin/").status_code == 200


@pytest.mark.control("V6.3.3")
@pytest.mark.parametrize("has_session", [False, True])
def test_password_reset_asks_for_the_second_factor(
    client: HTTPSClient, user: User, has_session: bool
) -> None:
    verify_email(user)
    factor = add_second_factor(user)
    if has_session:
        Client.force_login(client, user)
    client.post("/accounts/password/reset/", {"email": user.email})
    link = re.search(r"https://\S+", str(mail.outbox[-1].body))
    assert link, "the email has no link"
    new = {"password1": "a harbor at noon", "password2": "a harbor at noon"}
    form_url = client.get(link[0]).headers["Location"]
    response = client.post(form_url, new)
    assert response.headers["Location"] == "/accounts/2fa/authenticate/"
    assert not is_logged_in(client)
    client.post("/accounts/2fa/totp/deactivate/")
    assert Authenticator.objects.filter(pk=factor.pk).exists()
    client.post("/accounts/2fa/authenticate/", {"code": code()})
    # A new password ends the session, and the log-in in it.
    assert is_logged_in(client) is not has_session


@pytest.mark.control("V6.5.1")
def test_code_works_only_once(client: HTTPSClient, user: User) -> None:
    verify_email(user)
    add_second_factor(user)
    for value in (code(), recovery_codes(user)[0]):
        for is_valid in (True, False):
            client = HTTPSClient()
            assert log_in(client, user.email).headers["Location"] == CODE
            assert not is_logged_in(client)
            client.post(CODE, {"code": value})
            assert is_logged_in(client) is is_valid


@pytest.mark.control("V7.2.4")
def test_second_step_starts_a_new_session(client: HTTPSClient, user: User) -> None:
    verify_email(user)
    add_second_factor(user)
    attacker = HTTPSClient()
    cookie_name = settings.SESSION_COOKIE_NAME
    attacker.get(
        "/accounts/2fa/webauthn/login/", headers={"x-requested-with": "XMLHttpRequest"}
    )
    client.cookies[cookie_name] = attacker.cookies[cookie_name].value
    log_in(client, user.email)
    assert attacker.get(CODE).status_code == 302
    pending = client.cookies[cookie_name].value
    client.post(CODE, {"code": code()})
    assert is_logged_in(client)
    planted = attacker.cookies[cookie_name].value
    assert client.cookies[cookie_name].value not in {pending, planted}


@pytest.mark.control("V7.4.3")
@pytest.mark.usefixtures("run_on_commit")
def test_removing_a_factor_ends_other_sessions(
    client: HTTPSClient, staff: User, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    other_browser = HTTPSClient()
    browser_of_another_user = HTTPSClient()
    verify_email(user)
    log_in(browser_of_another_user, user.email)
    factor = add_second_factor(staff)
    for browser in (other_browser, client):
        log_in(browser, staff.email)
        browser.post(CODE, {"code": recovery_codes(staff)[0]})
        assert browser.get("/admin/").status_code == 200
    client.post("/accounts/2fa/reauthenticate/", {"code": code()})
    client.post("/accounts/2fa/recovery-codes/generate/")
    client.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.filter(pk=factor.pk).exists()
    assert other_browser.get("/accounts/email/").status_code == 302
    assert client.get("/accounts/email/").status_code == 200
    assert client.get("/admin/").status_code == 302
    assert is_logged_in(browser_of_another_user)
    events = {
        (record.getMessage(), vars(record).get("fields", {}).get("factor"))
        for record in caplog.records
    }
    assert events >= {
        ("authn_factor_renewed", "recovery_codes"),
        ("authn_factor_removed", "totp"),
    }
    assert "authn_factor_used" in caplog.messages


@pytest.mark.control("V6.6.3")
def test_second_factor_code_attempts_are_limited(
    client: HTTPSClient, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    verify_email(user)
    add_second_factor(user)
    log_in(client, user.email)
    for _ in range(5):
        client.post(CODE, {"code": "000000"})
    client.post(CODE, {"code": code()})
    assert not is_logged_in(client)
    failures = fields_of(caplog, "authn_login_fail")
    assert {fields["user"] for fields in failures} == {user.pk}
    assert "authn_login_lock" in caplog.messages


@pytest.mark.control("V7.5.1")
@pytest.mark.parametrize(
    "url", [ACTIVATE, ADD_PASSKEY, "/accounts/delete/", "/accounts/email/"]
)
def test_sensitive_change_requires_reauthentication(
    login: Login, user: User, url: str
) -> None:
    verify_email(user)
    response = login(user).post(url, {"action_add": "", "email": "new@example.com"})
    assert response.headers["Location"].startswith("/accounts/reauthenticate/")


@pytest.mark.control("V7.5.1")
def test_only_a_new_log_in_sets_up_the_first_second_factor(
    client: HTTPSClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_email(user)
    log_in(client, user.email)
    assert client.get(ACTIVATE).status_code == 200
    assert (
        client.post("/accounts/delete/")
        .headers["Location"]
        .startswith("/accounts/reauthenticate/")
    )
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: now + 301)
        assert (
            client.get(ACTIVATE)
            .headers["Location"]
            .startswith("/accounts/reauthenticate/")
        )
    # A second one needs the first one, however new the log-in is.
    add_second_factor(user)
    assert (
        client.get(ADD_PASSKEY)
        .headers["Location"]
        .startswith("/accounts/2fa/reauthenticate/")
    )


@pytest.mark.control("V7.5.1")
@pytest.mark.urls(__name__)
def test_session_password_and_mailbox_leave_the_second_factor(
    client: HTTPSClient, user: User
) -> None:
    verify_email(user)
    factor = add_second_factor(user)
    unused_codes = recovery_codes(user)
    Client.force_login(client, user)
    fields = {"password": PASSWORD, "recipient": user.email}
    for page in ("", "code/", "code/confirm/"):
        texts = "".join(str(message.body) for message in mail.outbox)
        codes = re.findall(r"^[\w-]{6,9}$", texts, re.MULTILINE)
        client.post(f"/accounts/reauthenticate/{page}", {**fields, "code": codes})
    codes_page = client.get("/accounts/2fa/recovery-codes/").text
    assert unused_codes[0] not in codes_page
    client.post("/accounts/2fa/totp/deactivate/")
    assert Authenticator.objects.filter(pk=factor.pk).exists()


@pytest.mark.control("V7.5.1")
def test_new_way_to_reauthenticate_is_not_offered(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = [{"id": key} for key in ("new", "reauthenticate", "mfa_reauthenticate")]
    monkeypatch.setattr(
        DefaultAccountAdapter, "get_reauthentication_methods", lambda *args: ways
    )
    assert get_adapter().get_reauthentication_methods(user) == ways[1:2]
    add_second_factor(user)
    assert get_adapter().get_reauthentication_methods(user) == ways[2:]


@pytest.mark.control("fernet")
def test_second_factor_secrets_are_encrypted_and_rotated(
    user: User, settings: Settings
) -> None:
    add_second_factor(user)
    unused = recovery_codes(user)
    assert SECRET not in str(list(Authenticator.objects.values_list("data", flat=True)))
    old_key = settings.FIELD_ENCRYPTION_KEYS[0]
    new_key = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new_key, old_key]
    for count in (2, 0):
        out = StringIO()
        call_command("rotate_encryption", stdout=out)
        assert f"mfa.Authenticator.data: {count} re-encrypted" in out.getvalue()
    settings.FIELD_ENCRYPTION_KEYS = [old_key]
    with pytest.raises(CommandError):
        call_command("rotate_encryption")
    settings.FIELD_ENCRYPTION_KEYS = [new_key]
    totp, codes = Authenticator.objects.order_by("-type")
    assert totp.wrap().validate_code(code())
    assert codes.wrap().get_unused_codes() == unused


@pytest.mark.control("fernet")
def test_second_factor_has_no_secret_of_another_column(
    user: User, settings: Settings
) -> None:
    factor = add_second_factor(user)
    factor.data["secret"] = encrypt(SECRET, "users.user.name")
    factor.save()
    with pytest.raises(ContextError, match=r"^mfa.authenticator.data: .* users.user"):
        factor.wrap().validate_code(code())
    with pytest.raises(CommandError, match=r"^1 "):
        call_command("rotate_encryption", stderr=StringIO())
    # Of a release before contexts.
    key = Fernet(settings.FIELD_ENCRYPTION_KEYS[0])
    factor.data["secret"] = key.encrypt(SECRET.encode()).decode()
    factor.save()
    with pytest.raises(ContextError, match="rotate_encryption"):
        factor.wrap().validate_code(code())
    call_command("rotate_encryption", stdout=StringIO())
    assert Authenticator.objects.get().wrap().validate_code(code())


@pytest.mark.control("V6.3.7")
def test_staff_remove_a_lost_factor_and_its_owner_is_notified(
    login: Login, staff: User, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client = login(staff)
    url = "/admin/mfa/authenticator/"
    for action in (None, "delete_selected"):
        factor = add_second_factor(user)
        page = client.get(f"{url}{factor.pk}/change/").text
        for name in ("user", "type", "created_at", "last_used_at"):
            assert f"field-{name}" in page
        assert factor.data["secret"] not in page
        fields = {"user": staff.pk, "type": "totp"}
        response = client.post(f"{url}{factor.pk}/change/", fields)
        assert response.status_code == 403
        fields = {"post": "yes", "action": action or "", "_selected_action": factor.pk}
        response = client.post(url if action else f"{url}{factor.pk}/delete/", fields)
        assert response.status_code == 302
        assert not Authenticator.objects.filter(user=user).exists()
        notice = mail.outbox.pop()
        assert notice.to == [user.email]
        assert "changed your account: second factor." in str(notice.body)
    removed = fields_of(caplog, "authn_factor_removed")
    assert len(removed) == 2
    for fields in removed:
        assert fields["factor"] == "totp"
        assert fields["owner"] == user.pk
        assert fields["user"] == staff.pk


def test_new_passkey_has_a_number(login: Login, staff: User, user: User) -> None:
    for owner in (staff, user):
        Authenticator.objects.create(
            user=owner, type=Authenticator.Type.WEBAUTHN, data=Passkey().data
        )
    context = login(staff).get(ADD_PASSKEY).context
    assert context["form"].initial["name"] == "Passkey 2"
    created = context["js_data"]["creation_options"]["publicKey"]
    assert created["user"]["displayName"] == staff.email
