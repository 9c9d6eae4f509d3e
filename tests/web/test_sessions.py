"""How long a session lasts, and what ends it."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from secure_django.models import Session
from secure_django.testing import (
    PRIVATE,
    Login,
    MakePhoto,
    Travel,
)
from users.models import User


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
