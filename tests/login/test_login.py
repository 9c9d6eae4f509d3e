"""Log-in, log-out, password pages, their emails and rate limits."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module
from threading import Event
from typing import Any
from unittest.mock import patch

import pytest
from allauth.account import app_settings
from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import reverse
from pytest_django import Settings

from secure_django.guard.access import routes
from secure_django.login import urls
from secure_django.login.forms import ResetPasswordKeyForm
from secure_django.login.hashers import Argon2idHasher
from secure_django.login.middleware import (
    FormTurnMiddleware,
    busy_page,
    seconds_in,
    seconds_used,
    turns_of_unknown,
)
from secure_django.mail.outbox import send_waiting
from secure_django.models import Mail
from secure_django.testing import (
    HANG_SECONDS,
    LOGIN,
    PASSWORD,
    HTTPSClient,
    Login,
    MakeUser,
    Travel,
    in_environment,
    is_logged_in,
    log_in,
    wait_until,
)
from secure_django.testing.limits import rates
from secure_django.testing.people import verify_email
from secure_django.turns import Burst
from secure_django.web.client import client_network
from users.models import User

CHANGE = "/accounts/password/change/"
RESET = "/accounts/password/reset/"
NEW = "a harbor at noon"
pytestmark = pytest.mark.django_db


@pytest.fixture
def member(user: User) -> User:
    """Return a user who can log in."""
    verify_email(user)
    return user


def reset_link(message: Any = None) -> str:
    email = message or mail.outbox[-1]
    link = re.search(r"https://\S+", str(email.body))
    assert link, "the email has no link"
    return link[0]


@pytest.mark.control("V7.2.2")
@pytest.mark.control("V7.2.4")
def test_log_in_starts_a_new_session(client: HTTPSClient, member: User) -> None:
    planted = str(client.session.session_key)
    assert log_in(client, "Owner@Example.com").headers["Location"] == reverse("home")
    assert client.cookies["__Host-sessionid"].value != planted
    client.cookies["__Host-sessionid"] = planted
    assert not is_logged_in(client)


@pytest.mark.django_db
def test_visitor_is_told_how_to_get_an_account(client: HTTPSClient) -> None:
    page = client.get(LOGIN).text
    assert "No account yet?" in page
    assert 'autocomplete="username"' in page


def test_allauth_knows_each_of_its_settings(settings: Settings) -> None:
    configs = apps.get_app_configs()
    allauth_apps = [app for app in configs if app.name.startswith("allauth.")]
    packages = {app.label.upper(): app.name for app in allauth_apps}
    for name in dir(django_settings):
        package, _, option = name.partition("_")
        # allauth reads this one under another name.
        option = option.replace("SUPPORTS_RESEND", "MAX_RESEND_COUNT")
        if package in packages:
            assert hasattr(
                import_module(f"{packages[package]}.app_settings"), option
            ), name
    settings.ACCOUNT_RATE_LIMITS = {}
    assert {"login_failed", "reset_password"} <= app_settings.RATE_LIMITS.keys()


def test_log_in_and_passwords_have_all_their_pages() -> None:
    pages = {
        "/login/",
        "/logout/",
        "/inactive/",
        *(f"/password/{page}/" for page in ("change", "set", "reset")),
    }
    pages |= {
        f"/password/reset/{page}/"
        for page in ("done", "key/<uidb36>-<key>", "key/done")
    }
    assert {route for route, _ in routes(urls.urlpatterns)} == pages


def test_new_user_sets_a_first_password_by_email(
    login: Login, make_user: MakeUser
) -> None:
    admin = login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    admin.post(
        "/admin/users/user/add/",
        {"email": "new@example.com", "usable_password": "false"},
    )
    client = HTTPSClient()
    client.post(RESET, {"email": "new@example.com"})
    form = client.get(reset_link()).headers["Location"]
    client.post(form, {"password1": NEW, "password2": NEW})
    assert User.objects.get(email="new@example.com").check_password(NEW)


@pytest.mark.control("V3.5.3")
def test_log_out_requires_a_form(client: HTTPSClient, member: User) -> None:
    log_in(client, member.email)
    assert client.get("/accounts/logout/").status_code == 200
    assert is_logged_in(client)
    client.post("/accounts/logout/")
    assert not is_logged_in(client)


@pytest.mark.control("V1.2.2")
@pytest.mark.control("V3.7.2")
@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https:evil.example",
        "https:///evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "https://[::1]evil",
        "//[evil",
        "https://evil\u2100.example",
        "javascript:alert(1)",
    ],
)
def test_next_url_never_leads_to_another_site(
    client: HTTPSClient, member: User, target: str
) -> None:
    for url in (LOGIN, RESET, "/accounts/logout/", "/admin/login/"):
        assert client.get(url, {"next": target}).status_code in {200, 302}
    fields = {"login": member.email, "password": PASSWORD, "next": target}
    response = client.post(LOGIN, fields)
    assert response.headers["Location"] == reverse("home")
    response = client.post("/accounts/logout/", {"next": target})
    assert response.headers["Location"] == reverse("home")


@pytest.mark.control("V6.3.8")
@pytest.mark.parametrize(
    "email", ["owner@example.com", "nobody@example.com", "disabled@example.com"]
)
def test_log_in_hashes_a_password_once_for_any_email(
    client: HTTPSClient, member: User, make_user: MakeUser, email: str
) -> None:
    make_user("disabled@example.com", is_active=False)
    with (
        patch.object(
            Argon2idHasher, "encode", autospec=True, side_effect=Argon2idHasher.encode
        ) as encode,
        patch.object(
            Argon2idHasher, "verify", autospec=True, side_effect=Argon2idHasher.verify
        ) as verify,
    ):
        log_in(client, email, "wrong")
    assert encode.call_count + verify.call_count == 1


@pytest.mark.control("V15.3.4")
def test_attempts_are_counted_by_the_ip_address_the_proxy_saw(
    client: HTTPSClient, settings: Settings
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    limits = settings.ACCOUNT_RATE_LIMITS
    settings.ACCOUNT_RATE_LIMITS = limits | {"unknown_device_failed": "10/m/ip"}
    for number in range(12):
        forwarded = {
            "x-forwarded-for": f"9.9.9.{number}, 203.0.113.7",
            "x-forwarded-proto": "https",
        }
        response = log_in(
            client, f"guess{number}@example.com", "wrong", headers=forwarded
        )
    assert "Too many failed login attempts" in response.text
    forwarded["x-forwarded-for"] = "203.0.113.8"
    response = log_in(client, "guess@example.com", "wrong", headers=forwarded)
    assert "are not correct" in response.text


@pytest.mark.control("V16.5.3")
def test_log_in_is_blocked_while_attempts_cannot_be_counted(
    client: HTTPSClient, member: User, settings: Settings
) -> None:
    settings.CACHES = {"default": {"BACKEND": "secure_django.testing.DeadCache"}}
    response = log_in(client, member.email)
    assert response.status_code == 503
    assert "Temporarily unavailable" in response.text
    assert not is_logged_in(client)
    assert client.get(LOGIN).status_code == 200


@pytest.mark.control("V15.2.2")
def test_form_that_gets_no_turn_is_refused_with_a_page(
    client: HTTPSClient,
    member: User,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client.get(LOGIN)  # loads the page's parts
    monkeypatch.setattr(turns_of_unknown, "wait_seconds", 0.01)
    with turns_of_unknown.hold(), django_assert_num_queries(0):
        response = log_in(client, member.email)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert {
        "Content-Security-Policy",
        "Strict-Transport-Security",
    } <= response.headers.keys()
    assert "reload this page" in response.text
    assert "ERROR" not in {record.levelname for record in caplog.records}
    log_in(client, member.email)
    assert is_logged_in(client)


@pytest.mark.control("V15.2.2")
def test_form_that_hashes_nothing_takes_no_turn(
    client: HTTPSClient, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_of_unknown, "wait_seconds", 0.01)
    forger = HTTPSClient(enforce_csrf_checks=True)
    with turns_of_unknown.hold():
        assert client.get(LOGIN).status_code == 200
        assert client.post(RESET, {"email": member.email}).status_code == 302
        assert client.post("/accounts/logout/").status_code == 302
        assert client.post(CHANGE).status_code == 302  # to the log-in
        assert forger.post(LOGIN, {"a": "1"}).status_code == 403


@pytest.fixture
def handle(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Callable[[], object]], int]:
    """Send a form of a network through the middleware, and return the status."""

    def respond(request: HttpRequest) -> HttpResponse:
        refused = middleware.process_view(request, respond, (), {})
        if refused is None:
            request.work()  # type: ignore[attr-defined]
        return refused or HttpResponse()

    def send(network: str, work: Callable[[], object]) -> int:
        client_network.set(network)
        request: Any = rf.post(LOGIN)
        request.work = work
        request.user = AnonymousUser()
        return int(middleware(request).status_code)

    middleware = FormTurnMiddleware(respond)
    seconds_in.cache_clear()
    monkeypatch.setattr(turns_of_unknown, "burst", Burst())
    return send


@pytest.mark.control("V15.2.2")
def test_flood_of_log_ins_leaves_threads_for_pages(
    handle: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_of_unknown, "wait_seconds", HANG_SECONDS)
    end = Event()
    running = []

    def work() -> None:
        running.append(1)
        end.wait(HANG_SECONDS)
        assert len(running) == 1
        running.clear()

    with (
        ThreadPoolExecutor(3) as pool,
        patch(
            "secure_django.login.middleware.render_to_string", return_value=""
        ) as render,
    ):
        busy_page.cache_clear()
        futures = [pool.submit(handle, "office", work) for _ in range(2)]
        try:
            wait_until(lambda: running and turns_of_unknown.waiting)
            others = pool.submit(lambda: {handle("office", work) for _ in range(50)})
            assert others.result(HANG_SECONDS / 2) == {503}
        finally:
            end.set()
        assert render.call_count == 1
        assert [future.result() for future in futures] == [200, 200]
    busy_page.cache_clear()
    assert handle("office", work) == 200


@pytest.mark.control("V15.2.2")
def test_network_that_used_least_has_the_next_turn(
    handle: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of forms from one network, then one from another."""
    monkeypatch.setattr(turns_of_unknown, "wait_seconds", HANG_SECONDS)
    end = Event()
    order: list[str] = []
    for _ in range(3):
        handle("flood", lambda: time.sleep(0.01))
    assert seconds_used().keys() == {"flood"}
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(handle, "flood", lambda: end.wait(HANG_SECONDS))
        wait_until(lambda: turns_of_unknown.is_taken)
        second = pool.submit(handle, "flood", lambda: order.append("flood"))
        wait_until(lambda: turns_of_unknown.waiting)
        other = pool.submit(handle, "office", lambda: order.append("office"))
        assert second.result(HANG_SECONDS) == 503
        assert handle("flood", lambda: order.append("flood")) == 503
        end.set()
        assert first.result() == 200
        assert other.result() == 200
        assert order == ["office"]
    monkeypatch.setattr("time.monotonic", lambda: 0.0)  # another minute
    assert not seconds_used()


@pytest.mark.control("V16.3.1")
def test_password_change_and_rate_limits_are_logged(
    client: HTTPSClient, member: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    log_in(client, member.email)
    client.post(CHANGE, {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    for _ in range(21):
        log_in(HTTPSClient(), member.email, "wrong")
        client.post(RESET, {"email": member.email})
    names = [
        "authn_login_success",
        "authn_password_change",
        "authn_login_fail",
        "authn_login_lock",
    ]
    events = [
        record.getMessage() for record in caplog.records if record.name == "security"
    ]
    assert set(events) == {*names, "excess_rate_limit_exceeded"}
    assert 1 <= events.count("authn_login_fail") <= 5


@pytest.mark.control("V6.2.2")
@pytest.mark.control("V6.2.3")
@pytest.mark.control("V7.4.3")
def test_password_change_needs_old_one_and_ends_other_sessions(
    client: HTTPSClient, member: User
) -> None:
    other = HTTPSClient()
    log_in(other, member.email)
    log_in(client, member.email)
    for old, ends in (("wrong", False), (PASSWORD, True)):
        fields = {"oldpassword": old, "password1": NEW, "password2": NEW}
        client.post(CHANGE, fields)
        assert is_logged_in(other) is not ends
    assert is_logged_in(client)
    assert "Your password was changed" in str(mail.outbox[-1].body)
    assert mail.outbox[-1].subject.endswith("] Password changed")


MOZILLA = "Mozilla/5.0 ({}) "
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) "
MAC = "Macintosh; Intel Mac OS X 10_15_7"
IPHONE = "iPhone; CPU iPhone OS 18_5 like Mac OS X"
WINDOWS = "Windows NT 10.0; Win64; x64"
ANDROID = "Linux; Android 10; K"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (
            MOZILLA.format("X11; Linux x86_64; rv:140.0")
            + "Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            MOZILLA.format(WINDOWS)
            + WEBKIT
            + "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge on Windows",
        ),
        (
            MOZILLA.format(ANDROID) + WEBKIT + "Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            MOZILLA.format(MAC) + WEBKIT + "Version/18.5 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            MOZILLA.format(IPHONE)
            + WEBKIT
            + "CriOS/140.0.0.0 Mobile/15E148 Safari/604.1",
            "Chrome on iOS",
        ),
        ("Log in again at https://evil.example", "Unknown browser"),
    ],
)
def test_notice_names_the_browser_in_words(
    client: HTTPSClient, member: User, user_agent: str, words: str
) -> None:
    log_in(client, member.email)
    fields = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    client.post(CHANGE, fields, headers={"user-agent": user_agent})
    body = str(mail.outbox[-1].body)
    assert f"Browser: {words}\nIP address: 127.0.0.1\n" in body
    assert "evil" not in body


@pytest.mark.control("V6.4.1")
@pytest.mark.control("V6.4.3")
@pytest.mark.control("V14.2.1")
def test_reset_link_works_once_within_an_hour(
    client: HTTPSClient,
    member: User,
    travel: Travel,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    client.post(RESET, {"email": member.email})
    link = reset_link()
    assert "The link works once, for 60 minutes." in str(mail.outbox[-1].body)
    travel(timedelta(minutes=61))
    assert "has expired" in client.get(link).text
    travel(timedelta(minutes=-61))
    form = client.get(link).headers["Location"]  # a URL without the token
    for _ in range(5):
        log_in(HTTPSClient(), member.email, "wrong")
    assert client.post(form, {"password1": NEW, "password2": NEW}).status_code == 302
    events = {record.getMessage(): vars(record) for record in caplog.records}
    assert events["authn_password_reset"]["fields"]["user"] == member.pk
    assert is_logged_in(client)
    for part in (
        "Your password was replaced by a new one",
        settings.SITE_NAME,
        settings.SECURITY_CONTACT,
    ):
        assert part in str(mail.outbox[-1].body)
    assert "has expired" in client.get(link).text
    log_in(other := HTTPSClient(), member.email, NEW)  # the reset has lifted the block
    assert is_logged_in(other)


def test_tokens_of_reset_links_are_not_tried_without_end(client: HTTPSClient) -> None:
    def statuses(number: int, ip: str) -> set[int]:
        urls = [f"/accounts/password/reset/key/1-{n:0>39}/" for n in range(number)]
        return {client.get(url, REMOTE_ADDR=ip).status_code for url in urls}

    assert statuses(120, "192.0.2.1") == {200}
    assert statuses(1, "192.0.2.1") == {429}
    assert statuses(1, "192.0.2.2") == {200}


@pytest.mark.control("V6.4.3")
def test_reset_link_in_two_browsers_at_once_works_in_one(
    member: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """The second form is valid before the first one is stored."""
    # As of two processes, of which each has turns of its own.
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if not name.endswith("FormTurnMiddleware")
    ]
    first = HTTPSClient()
    second = HTTPSClient()
    first.post(RESET, {"email": member.email})
    form = first.get(reset_link()).headers["Location"]
    second.get(reset_link())
    other = "a boat in the morning"
    clean = ResetPasswordKeyForm.clean

    def clean_late(self: ResetPasswordKeyForm) -> Any:
        monkeypatch.setattr(ResetPasswordKeyForm, "clean", clean)
        response = first.post(form, {"password1": NEW, "password2": NEW})
        assert response.headers["Location"] == "/"
        return clean(self)

    monkeypatch.setattr(ResetPasswordKeyForm, "clean", clean_late)
    page = second.post(form, {"password1": other, "password2": other}, follow=True)
    assert "This link was used already" in page.text
    assert is_logged_in(first)
    assert not is_logged_in(second)
    member.refresh_from_db()
    assert member.check_password(NEW)


@pytest.mark.control("V14.2.1")
def test_reset_link_ends_with_a_change_of_email(
    client: HTTPSClient, member: User
) -> None:
    client.post(RESET, {"email": member.email})
    link = reset_link()
    old_email = member.email
    User.objects.update(email="new@example.com")
    assert "has expired" in client.get(link).text
    member.emailaddress_set.update(email="new@example.com")  # type: ignore[attr-defined]
    log_in(client, old_email)
    assert not is_logged_in(client)


@pytest.mark.control("V14.2.1")
def test_email_replaced_by_staff_gives_no_access(
    client: HTTPSClient, member: User, make_user: MakeUser
) -> None:
    old_email = member.email
    admin = HTTPSClient()
    admin.force_login(
        boss := make_user("admin@example.com", is_staff=True, is_superuser=True)
    )
    EmailAddress.objects.get_or_create(user=boss, email=boss.email)
    admin.post(
        f"/admin/users/user/{member.pk}/change/",
        {"email": "new@example.com", "is_active": "on"},
    )
    client.post(RESET, {"email": old_email})
    texts = [str(message.body) for message in mail.outbox]
    assert "/password/reset/key/" not in "".join(texts)
    log_in(client, old_email)
    assert not is_logged_in(client)
    assert EmailAddress.objects.get().user == boss
    client.post(RESET, {"email": "new@example.com"})
    assert "/password/reset/key/" in str(mail.outbox[-1].body)


@pytest.mark.control("V6.3.8")
@pytest.mark.usefixtures("outbox")
@pytest.mark.parametrize("is_email_sent", [True, False], ids=["email", "no email"])
def test_reset_does_the_same_work_for_any_email(
    is_email_sent: bool, client: HTTPSClient, member: User, settings: Settings
) -> None:
    if is_email_sent and not apps.is_installed("secure_django.accounts"):
        pytest.skip("the email to a person without an account links to the sign-up")
    # A site without sign-up sends nothing to an email without an account.
    settings.ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = is_email_sent
    answers = set[str]()
    templates = list[int]()
    for number, email in enumerate((member.email, "nobody@example.com"), start=1):
        with patch(
            "allauth.account.adapter.render_to_string", side_effect=render_to_string
        ) as render:
            page = client.post(RESET, {"email": email}, follow=True)
        answers.add(f"{page.redirect_chain} {page.text}")
        templates.append(render.call_count)
        assert Mail.objects.count() == number
    assert len(answers) == len(set(templates)) == 1
    send_waiting()
    links = [
        message.to
        for message in mail.outbox
        if "/password/reset/key/" in message.message().get_content()
    ]
    assert links == [[member.email]]


@pytest.mark.control("emails")
@pytest.mark.usefixtures("outbox")
def test_reset_link_is_sent_before_all_notices(
    client: HTTPSClient, member: User
) -> None:
    for _ in range(3):
        mail.send_mail("Changed", "", None, [member.email])
    client.post(RESET, {"email": member.email})
    send_waiting()
    assert len(mail.outbox) == 4
    assert "/password/reset/key/" in str(mail.outbox[0].message())


@pytest.mark.control("V6.3.1")
def test_wrong_passwords_of_a_clock_ahead_limit_an_account_for_minutes(
    client: HTTPSClient, member: User, travel: Travel
) -> None:
    travel(timedelta(days=1))
    for _ in range(6):
        log_in(client, member.email, "a wrong harbor")
    travel(timedelta(days=-1))
    log_in(client, member.email)
    assert not is_logged_in(client)
    travel(timedelta(minutes=6))
    log_in(client, member.email)
    assert is_logged_in(client)


@pytest.mark.control("V15.2.2")
def test_office_of_sixty_logs_in_from_one_ip_address(
    make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Argon2idHasher, "verify", lambda *args: True)
    people = [make_user(f"person{number}@example.com") for number in range(60)]
    for person in people:
        EmailAddress.objects.create(user=person, email=person.email, verified=True)
    for person in people:
        client = HTTPSClient()
        log_in(client, person.email)
        assert is_logged_in(client), person.email


@pytest.mark.control("lock-out")
@pytest.mark.parametrize("interval", [60, 0], ids=["slow", "fast"])
def test_owner_gets_in_by_the_mailbox_during_an_attack(
    member: User, travel: Travel, interval: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 160 guesses by the real hash take seconds.
    monkeypatch.setattr(
        Argon2idHasher, "verify", lambda self, password, encoded: password == PASSWORD
    )
    attacker = HTTPSClient()
    client = HTTPSClient()

    def guess(number: int) -> str:
        # A new session: in this one, allauth would return to the page that it had
        # begun.
        response = log_in(
            HTTPSClient(),
            member.email,
            f"wrong{number}",
            REMOTE_ADDR=f"10.0.{number}.1",
        )
        return str(response.text)

    for number in range(60):
        travel(timedelta(seconds=interval))
        guess(number)
        elsewhere: Any = {"REMOTE_ADDR": f"10.0.{number}.1"}
        response = attacker.post(RESET, {"email": member.email}, **elsewhere)
        assert response.status_code == 302
        attacker.post(
            "/accounts/signup/", {"email": member.email, "password1": NEW}, **elsewhere
        )
    links = [
        message
        for message in mail.outbox
        if "/password/reset/key/" in str(message.body)
    ]
    ((_, amount, _),) = rates(django_settings.ACCOUNT_RATE_LIMITS["reset_link"])
    assert len(links) == (2 * amount if interval else amount)
    # The newest link is as old as it can be.
    travel(timedelta(minutes=0 if interval else 29))
    for number in range(60, 66):
        checked = "are not correct" in guess(number)
    assert not checked
    log_in(client, member.email)
    assert not is_logged_in(client)
    sent = len(mail.outbox)
    client.post(RESET, {"email": member.email})
    assert len(mail.outbox) == sent
    response = client.get(reset_link(links[-1]))
    form = response.headers["Location"]
    client.post(form, {"password1": NEW, "password2": NEW})
    assert is_logged_in(client)
    # The owner's reset gives the attacker five more guesses, and a second one needs a
    # new link from the mailbox.
    ((_, guesses, _),) = rates(django_settings.ACCOUNT_RATE_LIMITS["login_failed"])
    pages = [guess(number) for number in range(66, 80)]
    assert sum("are not correct" in page for page in pages) == guesses
    assert is_logged_in(client)
    assert "has expired" in attacker.get(reset_link(links[-1])).text


@pytest.mark.control("V16.5.2")
@pytest.mark.usefixtures("outbox")
def test_password_pages_work_without_a_mail_server(
    client: HTTPSClient,
    member: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert in_environment(monkeypatch)["MAILERS"]["default"] == {
        "BACKEND": "secure_django.mail.outbox.OutboxBackend"
    }
    assert client.post(RESET, {"email": member.email}).status_code == 302
    log_in(client, member.email)
    fields = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert client.post(CHANGE, fields).status_code == 302
    member.refresh_from_db()
    assert member.check_password(NEW)
    assert mail.outbox == []
    send_waiting()
    recipients = [message.to for message in mail.outbox]
    assert recipients == [[member.email], [member.email]]
