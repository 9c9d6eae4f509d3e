"""How long a session lasts, and what ends it."""

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from secure_django.models import Session
from secure_django.sessions import RENEWED, STARTED, SessionStore
from secure_django.testing import (
    PRIVATE,
    HTTPSClient,
    Login,
    MakePhoto,
    Travel,
)
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.mark.control("V7.3.1")
def test_session_is_saved_once_a_minute_and_never_for_images(
    login: Login,
    user: User,
    make_photo: MakePhoto,
    travel: Travel,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    published_photo = make_photo(status="approved")
    hidden_photo = make_photo()
    client = login(user)
    client.get(PRIVATE)
    with CaptureQueriesContext(connection) as queries:
        client.get(PRIVATE)
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)
    travel(timedelta(minutes=5))
    with django_assert_num_queries(1):
        url = reverse("uploads:file", args=[published_photo.pk, "thumbnail"])
        assert client.get(url).status_code == 200
    with django_assert_num_queries(3):  # photo, session, user; no write
        url = reverse("uploads:file", args=[hidden_photo.pk, "thumbnail"])
        assert client.get(url).status_code == 200


@pytest.mark.control("V14.2.7")
def test_sweep_deletes_expired_sessions_and_cache_rows(
    login: Login, user: User, travel: Travel
) -> None:
    def rows() -> tuple[int, int]:
        call_command("worker", "--once")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM django_cache WHERE cache_key LIKE '%203.0.113.7'"
            )
            return Session.objects.count(), cursor.fetchone()[0]

    login(user)
    cache.set("limit:203.0.113.7", [1], timeout=60)
    assert rows() == (1, 1)
    travel(timedelta(hours=1))
    assert rows() == (0, 0)


@pytest.mark.control("V7.3.1")
@pytest.mark.parametrize("name", [STARTED, RENEWED])
def test_session_with_a_time_ahead_ends(
    name: str, login: Login, user: User, travel: Travel
) -> None:
    """A clock that ran ahead would keep it alive until that time."""
    client = login(user)
    client.get(PRIVATE)
    data = client.session
    data[name] = (timezone.now() + timedelta(days=1)).isoformat()
    data.set_expiry(timezone.now() + timedelta(days=1, minutes=30))
    data.save()
    assert client.get(PRIVATE).status_code == 302
    assert not Session.objects.exists()
    travel(timedelta(days=1, minutes=1))
    assert client.get(PRIVATE).status_code == 302


@pytest.mark.control("V7.3.1")
def test_clock_that_ran_ahead_keeps_no_session_alive(
    login: Login, user: User, travel: Travel
) -> None:
    """Nor at the time that it showed, once the worker has looked."""
    travel(timedelta(days=1))
    client = login(user)
    assert client.get(PRIVATE).status_code == 200
    travel(timedelta(days=-1))
    call_command("worker", "--once")
    assert not Session.objects.exists()
    travel(timedelta(days=1, minutes=1))
    assert client.get(PRIVATE).status_code == 302


def test_session_of_a_clock_half_a_minute_ahead_goes_on(
    login: Login, user: User, travel: Travel
) -> None:
    travel(timedelta(seconds=30))
    client = login(user)
    assert client.get(PRIVATE).status_code == 200
    travel(timedelta(seconds=-30))
    assert client.get(PRIVATE).status_code == 200
    call_command("worker", "--once")
    assert client.get(PRIVATE).status_code == 200


def test_long_session_of_a_team_stays() -> None:
    session = SessionStore()
    session["basket"] = 3
    session.set_expiry(timedelta(days=30))
    session.save()
    call_command("worker", "--once")
    assert SessionStore(session.session_key)["basket"] == 3


def test_session_with_a_time_ahead_ends_in_async_code() -> None:
    async def read() -> dict[str, Any]:
        session = SessionStore()
        await session.aset(RENEWED, "2999-01-31T09:00:00+00:00")
        await session.asave()
        again = SessionStore(session.session_key)
        return {"renewed": await again.aget(RENEWED), "key": again.session_key}

    assert async_to_sync(read)() == {"renewed": None, "key": None}


@pytest.mark.parametrize(
    "value", [True, 12.5, "soon", "2999-01-31", "2999-01-31T09:00"]
)
def test_session_may_have_times_of_an_app(
    value: object, login: Login, user: User
) -> None:
    """Such as those of a quiz and of a library."""
    visitor = HTTPSClient()
    member = login(user)
    for client in (visitor, member):
        session = client.session
        session.update({"started": value, "renewed": value})
        session.save()
        client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
        response = client.get("/accounts/login/", follow=True)
        assert response.status_code == 200
        assert client.session["started"] == value
    assert member.get(PRIVATE).status_code == 200
    call_command("worker", "--once")
