"""allauth's list of the sessions of a user, whose rows have hashes of their keys."""

import pytest
from allauth.core import context
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.db import connection
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django import Settings

from secure_django.models import Session
from secure_django.sessions import SessionStore, hash_key
from secure_django.testing import HTTPSClient, is_logged_in, log_in
from secure_django.testing.people import verify_email
from users.models import User


@pytest.fixture
def request_of_user(user: User, client: HTTPSClient) -> HttpRequest:
    """Return a request of a session that allauth lists."""
    verify_email(user)
    log_in(client, user.email)
    request = RequestFactory().get("/")
    request.session = client.session
    request.user = user
    return request


def stored_keys() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_key FROM usersessions_usersession")
        return [key for (key,) in cursor.fetchall()]


def test_list_has_one_row_with_the_hash_however_often_it_is_written(
    request_of_user: HttpRequest,
) -> None:
    for _ in range(2):
        UserSession.objects.create_from_request(request_of_user)
    key = str(request_of_user.session.session_key)
    assert stored_keys() == [str(hash_key(key))]
    row = UserSession.objects.get(session_key=key)
    assert UserSession.objects.get(session_key=row.session_key) == row
    assert not UserSession.objects.exclude(session_key=key).exists()
    row.save()
    row.refresh_from_db()
    row.session_key = key
    row.save()
    assert stored_keys() == [str(hash_key(key))]
    assert UserSession.objects.only("ip").get().ip == row.ip


def test_row_knows_its_session(request_of_user: HttpRequest, user: User) -> None:
    row = UserSession.objects.get()
    assert row.exists()
    assert not row.purge()
    assert UserSession.objects.purge_and_list(user) == [row]
    other = HTTPSClient()
    log_in(other, user.email)
    other_row = UserSession.objects.exclude(pk=row.pk).get()
    with context.request_context(request_of_user):
        assert row.is_current()
        assert not other_row.is_current()


def test_row_of_a_session_that_has_ended_goes(
    request_of_user: HttpRequest, user: User
) -> None:
    Session.objects.all().delete()
    assert UserSession.objects.purge_and_list(user) == []
    assert not UserSession.objects.exists()


def test_row_of_a_session_with_an_old_password_goes(
    request_of_user: HttpRequest, user: User
) -> None:
    user.set_unusable_password()
    user.save()
    assert UserSession.objects.purge_and_list(user) == []


def test_end_of_a_row_ends_its_session_alone(
    request_of_user: HttpRequest, user: User, client: HTTPSClient
) -> None:
    other = HTTPSClient()
    log_in(other, user.email)
    own_key = str(request_of_user.session.session_key)
    get_adapter().end_sessions(UserSession.objects.filter(session_key=own_key))
    assert not SessionStore().exists(own_key)
    assert not is_logged_in(client)
    assert is_logged_in(other)
    assert UserSession.objects.count() == 1


def test_row_with_a_key_from_before_the_update_opens_nothing_and_goes(
    request_of_user: HttpRequest, user: User
) -> None:
    UserSession.objects.update(session_key="k" * 32)
    assert not UserSession.objects.get().exists()
    assert UserSession.objects.purge_and_list(user) == []


def test_page_records_when_a_session_was_seen(
    request_of_user: HttpRequest, client: HTTPSClient, settings: Settings
) -> None:
    """Have allauth write when it sees a session, which the package does not do."""
    settings.USERSESSIONS_TRACK_ACTIVITY = True
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "allauth.usersessions.middleware.UserSessionsMiddleware",
    ]
    for _ in range(2):
        assert is_logged_in(client)
    assert len(stored_keys()) == 1
