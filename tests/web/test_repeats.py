"""A form that is sent twice ends where it ends when it is sent once."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache.backends.locmem import LocMemCache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.test import RequestFactory
from pytest_django import Settings

from example.models import Thing
from secure_django.photos.models import Photo
from secure_django.testing import (
    HANG_SECONDS,
    LOGIN,
    PASSWORD,
    HTTPSClient,
    MakeImage,
    MakeUser,
    is_logged_in,
    wait_until,
)
from secure_django.testing.people import code, prove_second_factor, verify_email
from secure_django.web import repeats
from secure_django.web.repeats import FormNoteMiddleware, RepeatedFormMiddleware
from tests.accounts.passkey import Passkey
from users.models import User

NEW = "a harbor at noon"
SIGN_UP = "/accounts/signup/"
CONFIRM = "/accounts/confirm-email/"
LOG_OUT = "/accounts/logout/"
RESET = "/accounts/password/reset/"
CHANGE = "/accounts/password/change/"
FACTOR = "/accounts/2fa/totp/activate/"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
ORIGIN = {"origin": "https://testserver"}
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_on_commit")]

type Send = Callable[[], Any]


@pytest.fixture
def browser() -> HTTPSClient:
    return HTTPSClient(enforce_csrf_checks=True)


@pytest.fixture
def member(user: User) -> User:
    """Return a user who can log in."""
    verify_email(user)
    return user


def open_form(browser: HTTPSClient, url: str) -> Any:
    """Return the page, with its CSRF token as an attribute."""
    page: Any = browser.get(url, follow=True)
    found = TOKEN.search(page.text)
    assert found, f"{url} has no form"
    page.token = found[1]
    return page


def prepare(browser: HTTPSClient, url: str, page: Any, **fields: Any) -> Send:
    """Return a function that sends the form of a page, with the cookies it has now."""
    cookies = copy.deepcopy(browser.cookies)

    def send() -> Any:
        browser.cookies = copy.deepcopy(cookies)
        for value in fields.values():
            if hasattr(value, "seek"):
                value.seek(0)
        form = {"csrfmiddlewaretoken": page.token, **fields}
        return browser.post(url, form, headers=ORIGIN)

    return send


def click_twice(send: Send) -> str:
    """Send a form twice; return where both answers lead.

    The browser discards the first answer, and its cookies.
    """
    first = send()
    second = send()
    assert (first.status_code, second.status_code) == (302, 302)
    assert second.headers["Location"] == first.headers["Location"]
    return str(second.headers["Location"])


def log_in_browser(browser: HTTPSClient, user: User) -> None:
    """Log in by the form, as a person does."""
    page = open_form(browser, LOGIN)
    prepare(browser, LOGIN, page, login=user.email, password=PASSWORD)()
    assert is_logged_in(browser)


def emailed_code() -> str:
    found = re.search(r"^[A-Z]{4}-[A-Z]{4}$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found
    return found[0]


def test_sign_up_that_is_sent_twice_asks_for_the_code(browser: HTTPSClient) -> None:
    page = open_form(browser, SIGN_UP)
    send = prepare(browser, SIGN_UP, page, email="a@example.com", password1=PASSWORD)
    assert click_twice(send) == CONFIRM
    assert len(mail.outbox) == 1
    page = open_form(browser, CONFIRM)
    assert click_twice(prepare(browser, CONFIRM, page, code=emailed_code())) == "/"
    assert is_logged_in(browser)
    assert User.objects.count() == 1
    assert EmailAddress.objects.get().verified


def test_sign_up_with_the_email_of_an_account_answers_the_same(
    browser: HTTPSClient, member: User
) -> None:
    page = open_form(browser, SIGN_UP)
    send = prepare(browser, SIGN_UP, page, email=member.email, password1=PASSWORD)
    assert click_twice(send) == CONFIRM
    assert len(mail.outbox) == 1
    assert "code" in open_form(browser, CONFIRM).text


def test_log_in_that_is_sent_twice_logs_in(browser: HTTPSClient, member: User) -> None:
    page = open_form(browser, LOGIN)
    send = prepare(browser, LOGIN, page, login=member.email, password=PASSWORD)
    assert click_twice(send) == "/"
    assert is_logged_in(browser)


def test_request_for_a_link_that_is_sent_twice_sends_one(
    browser: HTTPSClient, member: User
) -> None:
    page = open_form(browser, RESET)
    click_twice(prepare(browser, RESET, page, email=member.email))
    assert len(mail.outbox) == 1


def test_new_password_that_is_sent_twice_logs_in(
    browser: HTTPSClient, member: User
) -> None:
    log_out = HTTPSClient()
    log_out.post(RESET, {"email": member.email})
    (link,) = re.findall(r"https://\S+", str(mail.outbox[-1].body))
    page = open_form(browser, link)
    url = page.redirect_chain[-1][0]
    assert click_twice(prepare(browser, url, page, password1=NEW, password2=NEW)) == "/"
    assert is_logged_in(browser)
    member.refresh_from_db()
    assert member.check_password(NEW)
    assert len(mail.outbox) == 2  # the link and one notice


def test_change_of_password_that_is_sent_twice_keeps_the_session(
    browser: HTTPSClient, member: User
) -> None:
    log_in_browser(browser, member)
    page = open_form(browser, CHANGE)
    fields = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    click_twice(prepare(browser, CHANGE, page, **fields))
    assert is_logged_in(browser)
    assert len(mail.outbox) == 1


def test_first_password_that_is_set_twice_keeps_the_session(
    browser: HTTPSClient, member: User
) -> None:
    log_in_browser(browser, member)
    url = "/accounts/password/set/"
    prove_second_factor(browser, member)
    session = browser.session
    member.set_unusable_password()
    member.save()
    session["_auth_user_hash"] = member.get_session_auth_hash()
    session.save()
    page = open_form(browser, url)
    click_twice(prepare(browser, url, page, password1=NEW, password2=NEW))
    assert is_logged_in(browser)
    assert len(mail.outbox) == 1


def test_new_email_that_is_sent_twice_asks_for_one_code(
    browser: HTTPSClient, member: User
) -> None:
    log_in_browser(browser, member)
    url = "/accounts/reauthenticate/"
    prepare(browser, url, open_form(browser, url), password=PASSWORD)()
    url = "/accounts/email/"
    page = open_form(browser, url)
    fields = {"email": "new@example.com", "action_add": ""}
    assert click_twice(prepare(browser, url, page, **fields)) == CONFIRM
    assert len(mail.outbox) == 1
    page = open_form(browser, CONFIRM)
    click_twice(prepare(browser, CONFIRM, page, code=emailed_code()))
    assert [row.email for row in EmailAddress.objects.all()] == ["new@example.com"]


@pytest.mark.usefixtures("travel")
def test_second_factor_that_is_set_up_twice_shows_its_codes(
    browser: HTTPSClient, member: User
) -> None:
    log_in_browser(browser, member)
    page = open_form(browser, FACTOR)
    secret = page.context["form"].secret
    end = click_twice(prepare(browser, FACTOR, page, code=code(secret)))
    assert end == "/accounts/2fa/recovery-codes/"
    kinds = Authenticator.objects.order_by("type").values_list("type", flat=True)
    assert list(kinds) == ["recovery_codes", "totp"]
    assert len(mail.outbox) == 1


def test_recovery_codes_that_are_made_twice_are_made_once(
    browser: HTTPSClient, member: User
) -> None:
    log_in_browser(browser, member)
    prove_second_factor(browser, member)
    url = "/accounts/2fa/recovery-codes/generate/"
    page = open_form(browser, url)
    click_twice(prepare(browser, url, page))
    assert Authenticator.objects.filter(type="recovery_codes").count() == 1
    assert len(mail.outbox) == 1


def test_passkey_that_is_added_twice_is_one(browser: HTTPSClient, member: User) -> None:
    log_in_browser(browser, member)
    url = "/accounts/2fa/webauthn/add/"
    page = open_form(browser, url)
    creation = page.context["js_data"]["creation_options"]["publicKey"]
    credential = json.dumps(Passkey().register(creation["challenge"]))
    click_twice(prepare(browser, url, page, name="Key", credential=credential))
    assert Authenticator.objects.filter(type="webauthn").count() == 1
    assert len(mail.outbox) == 1


def test_profile_that_is_sent_twice_is_saved(
    browser: HTTPSClient, member: User
) -> None:
    log_in_browser(browser, member)
    url = "/accounts/profile/"
    page = open_form(browser, url)
    assert click_twice(prepare(browser, url, page, name="Ann")) == url
    assert open_form(browser, url).text.count("Saved.") == 1
    member.refresh_from_db()
    assert member.name == "Ann"


def test_user_whom_staff_add_twice_is_one(
    browser: HTTPSClient, make_user: MakeUser
) -> None:
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    browser.force_login(admin)
    url = "/admin/users/user/add/"
    page = open_form(browser, url)
    click_twice(prepare(browser, url, page, email="new@example.com", name=""))
    assert User.objects.filter(email="new@example.com").count() == 1


@pytest.fixture
def things(settings: Settings) -> str:
    settings.ROOT_URLCONF = "example.urls"
    return "/things/add/"


def test_object_with_a_photo_that_is_sent_twice_is_one(
    browser: HTTPSClient, member: User, things: str, make_image: MakeImage
) -> None:
    log_in_browser(browser, member)
    page = open_form(browser, things)
    image = SimpleUploadedFile("a.jpg", make_image(), "image/jpeg")
    assert click_twice(prepare(browser, things, page, title="A", image=image)) == "/"
    assert Thing.objects.count() == 1
    assert Photo.objects.count() == 1


def test_other_content_is_another_form(
    browser: HTTPSClient, member: User, things: str, make_image: MakeImage
) -> None:
    log_in_browser(browser, member)
    page = open_form(browser, things)
    first = SimpleUploadedFile("a.jpg", make_image(), "image/jpeg")
    second = SimpleUploadedFile("a.jpg", make_image(size=(48, 64)), "image/jpeg")
    for title, image in (("A", first), ("B", first), ("B", second), ("A", first)):
        prepare(browser, things, page, title=title, image=image)()
    assert Thing.objects.count() == 4


def test_form_of_a_page_that_is_opened_again_is_another_one(
    browser: HTTPSClient, member: User, things: str, make_image: MakeImage
) -> None:
    log_in_browser(browser, member)
    image = SimpleUploadedFile("a.jpg", make_image(), "image/jpeg")
    for _ in range(2):
        page = open_form(browser, things)
        prepare(browser, things, page, title="A", image=image)()
    assert Thing.objects.count() == 2


def test_form_with_errors_is_handled_each_time(
    browser: HTTPSClient, member: User
) -> None:
    page = open_form(browser, LOGIN)
    send = prepare(browser, LOGIN, page, login=member.email, password="wrong")
    pages = [send().text for _ in range(6)]
    assert ["are not correct" in text for text in pages] == [True] * 5 + [False]


def test_script_may_send_the_same_on_purpose(
    browser: HTTPSClient, member: User, things: str, make_image: MakeImage
) -> None:
    log_in_browser(browser, member)
    page = open_form(browser, things)
    image = SimpleUploadedFile("a.jpg", make_image(), "image/jpeg")
    send = prepare(browser, things, page, title="A", image=image)
    browser.defaults["HTTP_SEC_FETCH_MODE"] = "cors"
    send()
    send()
    assert Thing.objects.count() == 2
    # A script of the package shows the answer, and the person may send it again.
    browser.defaults["HTTP_X_REQUESTED_WITH"] = "XMLHttpRequest"
    send()
    send()
    assert Thing.objects.count() == 3


@pytest.mark.control("repeats")
def test_answer_is_for_the_same_browser_alone(
    browser: HTTPSClient, member: User
) -> None:
    page = open_form(browser, LOGIN)
    fields = {"login": member.email, "password": PASSWORD}
    prepare(browser, LOGIN, page, **fields)()
    assert is_logged_in(browser)
    thief = HTTPSClient(enforce_csrf_checks=True)
    answer = prepare(thief, LOGIN, page, **fields)()
    assert answer.status_code == 403
    open_form(thief, LOGIN)
    assert prepare(thief, LOGIN, page, **fields)().status_code == 403
    assert not is_logged_in(thief)
    page = open_form(browser, CHANGE)
    fields = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    send = prepare(browser, CHANGE, page, **fields)
    # Who has the CSRF token as well, and not the session.
    thief.cookies = copy.deepcopy(browser.cookies)
    thief.cookies["__Host-sessionid"] = "x" * 32
    send()
    answer = prepare(thief, CHANGE, page, **fields)()
    assert answer.headers["Location"].startswith(LOGIN)
    assert not is_logged_in(thief)


@pytest.mark.control("repeats")
def test_kept_answer_cannot_be_read_in_the_cache(
    browser: HTTPSClient, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = []
    name = "secure_django.web.repeats.cache.set"
    monkeypatch.setattr(name, lambda *values: stored.append(values))
    page = open_form(browser, LOGIN)
    prepare(browser, LOGIN, page, login=member.email, password=PASSWORD)()
    (answer,) = [values for values in stored if str(values[0]).startswith("form-")]
    secrets = [cookie.value for cookie in browser.cookies.values()]
    assert len(secrets) == 3  # the session, the CSRF token, the device
    for secret in [*secrets, PASSWORD, page.token, member.email]:
        assert secret not in str(answer)


@pytest.mark.control("repeats")
def test_ended_session_does_not_come_back(browser: HTTPSClient, member: User) -> None:
    page = open_form(browser, LOGIN)
    send = prepare(browser, LOGIN, page, login=member.email, password=PASSWORD)
    send()
    menu = open_form(browser, LOG_OUT)
    prepare(browser, LOG_OUT, menu)()
    send()
    assert not is_logged_in(browser)


@pytest.mark.control("repeats")
def test_log_out_that_is_sent_twice_clears_the_browser(
    browser: HTTPSClient, member: User
) -> None:
    log_in_browser(browser, member)
    browser.cookies["of_an_app"] = "x"
    page = open_form(browser, LOG_OUT)
    send = prepare(browser, LOG_OUT, page)
    first = send()
    second = send()
    header = "Clear-Site-Data"
    assert second.headers[header] == first.headers[header] == '"cache", "storage"'
    for answer in (first, second):
        ended = {name for name, it in answer.cookies.items() if it["max-age"] == 0}
        assert ended >= {"__Host-sessionid", "of_an_app"}


@pytest.mark.control("repeats")
def test_stranger_and_forged_form_are_neither_read_nor_noted(
    browser: HTTPSClient, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[object] = []
    name = "secure_django.web.repeats.cache.add"
    monkeypatch.setattr(name, lambda *values: noted.append(values))
    page = open_form(browser, LOGIN)
    page.token = "x" * 64
    fields = {"login": member.email, "password": PASSWORD}
    assert prepare(browser, LOGIN, page, **fields)().status_code == 403
    # Parsing would fail.
    monkeypatch.delattr("django.http.multipartparser.MultiPartParser.parse")
    assert prepare(browser, CHANGE, page)().headers["Location"].startswith(LOGIN)
    assert not noted


def test_page_that_is_only_opened_notes_nothing(
    browser: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "cache", None)
    assert browser.get("/").status_code == 200
    assert "sessionid" not in str(browser.cookies)


def test_form_is_handled_without_a_cache(
    browser: HTTPSClient, member: User, settings: Settings
) -> None:
    log_in_browser(browser, member)
    page = open_form(browser, "/accounts/notifications/")
    settings.CACHES = {"default": {"BACKEND": "secure_django.testing.DeadCache"}}
    send = prepare(browser, "/accounts/notifications/", page)
    assert click_twice(send) == "/accounts/notifications/"
    member.refresh_from_db()
    assert not member.decision_emails


def test_cache_that_is_away_is_asked_twice_for_a_form(
    browser: HTTPSClient, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call may wait for seconds, and the thread with it."""
    log_in_browser(browser, member)
    page = open_form(browser, "/accounts/notifications/")
    asked = []

    def ask_cache(operation: Callable[..., Any], *values: object) -> None:
        asked.append(operation.__name__)

    monkeypatch.setattr(repeats, "ask_cache", ask_cache)
    send = prepare(browser, "/accounts/notifications/", page)
    assert send().status_code == 302
    assert asked == ["get", "add"]


def test_refused_file_is_an_error_of_its_form(
    browser: HTTPSClient, member: User, things: str, settings: Settings
) -> None:
    log_in_browser(browser, member)
    page = open_form(browser, things)
    settings.UPLOAD_MAX_BYTES = 10
    image = SimpleUploadedFile("a.jpg", b"x" * 100, "image/jpeg")
    response = prepare(browser, things, page, title="A", image=image)()
    assert response.context["form"].errors["image"]


class Site:
    """The two classes around a view that waits, without a database."""

    def __init__(self) -> None:
        self.views = 0
        self.may_end = Event()
        self.inner = FormNoteMiddleware(self.view)
        self.outer = RepeatedFormMiddleware(self.answer)
        self.answers: list[HttpResponse] = []

    def view(self, request: HttpRequest) -> HttpResponse:
        self.views += 1
        assert self.may_end.wait(HANG_SECONDS)
        return redirect(f"/{self.views}/")

    def answer(self, request: HttpRequest) -> HttpResponse:
        refusal = self.inner.process_view(request, self.view, (), {})
        return refusal or self.view(request)

    def send(self) -> None:
        request = RequestFactory().post("/", {"csrfmiddlewaretoken": "t"})
        request.COOKIES["__Host-csrftoken"] = "c"
        response: Any = self.outer(request)
        self.answers.append(response)

    def start(self) -> Thread:
        thread = Thread(target=self.send)
        thread.start()
        return thread


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Return a site whose processes share a cache in memory."""
    shared = LocMemCache("repeats", {})
    monkeypatch.setattr(repeats, "cache", shared)
    site = Site()
    yield site
    site.may_end.set()
    shared.clear()


def test_form_that_is_sent_again_waits_for_the_answer_to_the_first(site: Site) -> None:
    threads = [site.start()]
    wait_until(lambda: site.views)
    threads += [site.start(), site.start()]
    site.may_end.set()
    for thread in threads:
        thread.join(HANG_SECONDS)
    locations = [answer.headers["Location"] for answer in site.answers]
    assert locations == ["/1/"] * 3


@pytest.mark.control("repeats")
def test_copies_of_a_slow_form_leave_threads_for_others(site: Site) -> None:
    first = site.start()
    wait_until(lambda: site.views)
    copies = [site.start() for _ in range(5)]
    wait_until(lambda: len(site.answers) == 5 - repeats.MOST_WAITING)
    for answer in site.answers:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    site.may_end.set()
    for thread in [first, *copies]:
        thread.join(HANG_SECONDS)
    assert site.views == 1
