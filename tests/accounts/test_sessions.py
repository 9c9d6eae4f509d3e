"""Sessions as their owner and staff see and end them, and the deletion of accounts."""

import logging
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import call_command
from django.db.models import PROTECT, RESTRICT
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from example.models import Thing
from secure_django.testing import (
    PASSWORD,
    HTTPSClient,
    Login,
    MakePhoto,
    MakeUser,
    is_logged_in,
    log_in,
)
from secure_django.testing.people import verify_email
from tests.events import fields_of
from users.models import User

LIST = "/admin/usersessions/usersession/"


@pytest.fixture
def clients(user: User) -> list[HTTPSClient]:
    """Return three browsers in which the same user is logged in."""
    verify_email(user)
    browsers = [HTTPSClient() for _ in range(3)]
    for number, browser in enumerate(browsers):
        log_in(browser, user.email, headers={"user-agent": f"Browser {number}"})
    return browsers


@pytest.mark.control("V7.5.2")
def test_user_ends_own_sessions_singly_or_all_others(
    clients: list[HTTPSClient], other_user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    own, second, _ = clients
    url = (
        f"/accounts/sessions/{UserSession.objects.get(user_agent='Browser 1').pk}/end/"
    )
    assert url in own.get("/accounts/sessions/").text
    thief = HTTPSClient()
    thief.force_login(other_user)
    assert thief.post(url).status_code == 404
    assert own.get(url).status_code == 405
    assert is_logged_in(second)
    own.post(url)
    (ended,) = fields_of(caplog, "session_expired")
    assert ended["reason"] == "ended by its owner"
    assert [is_logged_in(client) for client in clients] == [True, False, True]
    own.post("/accounts/sessions/")
    assert [is_logged_in(client) for client in clients] == [True, False, False]
    session = UserSession.objects.get(user_agent="Browser 0")
    response = own.post(f"/accounts/sessions/{session.pk}/end/")
    assert "Clear-Site-Data" in response.headers
    assert not is_logged_in(own)


@pytest.mark.control("V15.2.2")
def test_account_has_few_sessions(clients: list[HTTPSClient], user: User) -> None:
    """However many there are, a log-in would check each of them."""
    clients += [HTTPSClient() for _ in range(20)]
    for client in clients[3:]:
        client.force_login(user)
        UserSession.objects.create(
            user=user, ip="192.0.2.1", session_key=client.session.session_key
        )
    newest = HTTPSClient()
    log_in(newest, user.email)
    assert [is_logged_in(client) for client in clients[:3]] == [False] * 3
    assert is_logged_in(clients[-1])
    assert is_logged_in(newest)
    assert UserSession.objects.count() <= 21


def test_sessions_are_listed_by_browser(clients: list[HTTPSClient]) -> None:
    page = clients[0].get("/accounts/sessions/").text
    assert page.count("Unknown browser") == 3
    assert page.count("This session") == 1


@pytest.mark.control("V14.2.7")
def test_rows_of_ended_sessions_are_deleted(
    clients: list[HTTPSClient], settings: Settings
) -> None:
    old = timezone.now() - settings.SESSION_ABSOLUTE_AGE - timedelta(minutes=1)
    UserSession.objects.filter(user_agent="Browser 0").update(created_at=old)
    call_command("worker", "--once")
    assert set(UserSession.objects.values_list("user_agent", flat=True)) == {
        "Browser 1",
        "Browser 2",
    }


@pytest.mark.control("V2.4.1")
def test_passkey_log_in_stores_few_sessions(db: None) -> None:
    url = "/accounts/2fa/webauthn/login/"
    headers = {"x-requested-with": "XMLHttpRequest"}
    for method in ("get", "head"):
        statuses = [
            getattr(HTTPSClient(), method)(url, headers=headers).status_code
            for _ in range(130)
        ]
        assert 429 in statuses
    assert Session.objects.count() <= 120


@pytest.mark.control("V7.4.5")
def test_staff_need_a_permission_to_end_sessions(
    clients: list[HTTPSClient],
    login: Login,
    make_user: MakeUser,
    user: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    staff = make_user("staff@example.com", is_staff=True)
    sessions = [
        session.pk
        for session in UserSession.objects.filter(user__email="owner@example.com")
    ]
    for permission, ends in (("view_usersession", False), ("delete_usersession", True)):
        staff.user_permissions.add(Permission.objects.get(codename=permission))
        page = login(staff).get(f"{LIST}?q=owner").text
        for name in ("user", "created_at", "ip", "user_agent"):
            assert f"field-{name}" in page
        assert (
            login(staff)
            .post(f"{LIST}{sessions[0]}/delete/", {"post": "yes"})
            .status_code
            == 403
        )
        page = (
            login(staff)
            .post(LIST, {"action": "end", "_selected_action": sessions}, follow=True)
            .text
        )
        assert any(map(is_logged_in, clients)) is not ends
        assert ("have ended" in page) is ends
    ended = fields_of(caplog, "session_expired")
    assert len(ended) == 3
    for fields in ended:
        assert fields["reason"] == "ended by staff"
        assert fields["owner"] == user.pk
        assert fields["user"] == staff.pk


@pytest.mark.parametrize("url", ["/accounts/delete/", "/accounts/notifications/"])
def test_account_pages_answer_only_the_methods_they_know(
    clients: list[HTTPSClient], url: str
) -> None:
    clients[0].post("/accounts/reauthenticate/", {"password": PASSWORD})
    statuses = [
        clients[0].generic(method, url).status_code
        for method in ("GET", "HEAD", "OPTIONS")
    ]
    assert statuses == [200, 200, 405]


def test_failed_deletion_is_neither_logged_nor_reported(
    clients: list[HTTPSClient],
    user: User,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(user: User) -> None:
        raise OSError

    monkeypatch.setattr("secure_django.accounts.views.delete_user", fail)
    client = clients[0]
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    with pytest.raises(OSError):  # noqa: PT011
        client.post("/accounts/delete/")
    assert is_logged_in(client)
    assert "user_deleted" not in caplog.messages
    assert not mail.outbox


@pytest.mark.parametrize("on_delete", [PROTECT, RESTRICT])
def test_account_that_an_app_needs_is_kept_with_a_sentence(
    on_delete: object,
    clients: list[HTTPSClient],
    user: User,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = Thing._meta.get_field("owner").remote_field
    monkeypatch.setattr(owner, "on_delete", on_delete)
    Thing.objects.create(owner=user)
    client = clients[0]
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    response = client.post("/accounts/delete/")
    assert response.status_code == 409
    assert "1 thing must stay" in response.text
    assert f"write to {settings.SECURITY_CONTACT}" in response.text
    assert is_logged_in(client)
    assert not mail.outbox
    Thing.objects.all().delete()
    client.post("/accounts/delete/")
    assert not User.objects.filter(pk=user.pk).exists()


def test_page_after_the_deletion_has_no_menu_of_the_person(
    clients: list[HTTPSClient],
) -> None:
    client = clients[0]
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.post("/accounts/delete/").text
    assert "Account deleted" in page
    assert 'class="menu person"' not in page
    assert 'href="/accounts/login/"' in page


@pytest.mark.control("V16.4.2")
def test_former_staff_cannot_delete_their_record(
    clients: list[HTTPSClient], user: User
) -> None:
    LogEntry.objects.log_actions(
        user.pk, [user], CHANGE, "Approved", single_object=True
    )
    clients[0].post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert "/accounts/delete/" not in clients[0].get("/accounts/sessions/").text
    assert clients[0].post("/accounts/delete/").status_code == 403
    assert LogEntry.objects.exists()


def test_account_is_deleted_with_its_photos_and_sessions(
    clients: list[HTTPSClient],
    user: User,
    other_user: User,
    make_photo: MakePhoto,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    photo = make_photo(status="approved")
    client = clients[0]
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert "cannot be undone" in client.get("/accounts/delete/").text
    response = client.post("/accounts/delete/")
    assert "Clear-Site-Data" in response.headers
    assert list(User.objects.all()) == [other_user]
    photo_url = reverse("uploads:file", args=[photo.pk, "display"])
    assert client.get(photo_url).status_code == 404
    assert not any(map(is_logged_in, clients))
    assert "has been deleted" in str(mail.outbox[-1].body)
    (deleted,) = fields_of(caplog, "user_deleted")
    assert deleted["user"] == user.pk
