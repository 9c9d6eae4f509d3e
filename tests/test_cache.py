"""A clock that ran ahead for a minute limits nobody for a day."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from secure_django.cache import LIMITS
from secure_django.photos import limits
from secure_django.ratelimit import rate_limit
from secure_django.testing import MakePhoto, Travel
from users.models import User

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@rate_limit(2, seconds=600)
def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def post(user: User) -> int:
    request: Any = RequestFactory().post("/")
    request.user = user
    return page(request).status_code


def check_limit(user: User, travel: Travel) -> None:
    travel(DAY)
    assert [post(user) for _ in range(3)] == [200, 200, 429]
    travel(-DAY)
    assert post(user) == 429  # counts as now
    travel(timedelta(minutes=9))
    assert post(user) == 429
    travel(timedelta(minutes=2))
    assert [post(user) for _ in range(3)] == [200, 200, 429]


@pytest.mark.control("V2.4.1")
def test_request_of_a_clock_ahead_counts_as_now(user: User, travel: Travel) -> None:
    check_limit(user, travel)


def test_other_values_of_the_cache_stay_as_they_are() -> None:
    ahead = [time.time() + 86400]
    for key, value in (("a", ahead), (f"{LIMITS}b", "text"), (f"{LIMITS}c", None)):
        cache.set(key, value)
        assert cache.get(key) == value
    near = [time.time() + 50]
    cache.set(f"{LIMITS}d", near)
    assert cache.get(f"{LIMITS}d") == near


@pytest.mark.control("V5.2.4")
def test_photos_of_a_clock_ahead_limit_an_account_for_an_hour(
    settings: Settings, user: User, make_photo: MakePhoto, travel: Travel
) -> None:
    settings.UPLOADS_PER_HOUR = 1
    travel(DAY)
    make_photo()
    travel(-DAY)
    with pytest.raises(ValidationError):
        limits.check_quota(user)
    travel(timedelta(minutes=61))
    limits.check_quota(user)


@pytest.mark.control("V5.2.4")
def test_decoding_of_a_clock_ahead_counts_as_now(
    settings: Settings, travel: Travel
) -> None:
    travel(DAY)
    limits.charge("decoded:1", {}, 5)
    travel(-DAY)
    assert sum(limits.seconds_used("decoded:1").values()) == 5
    travel(timedelta(minutes=9))
    assert limits.seconds_used("decoded:1")
    travel(timedelta(minutes=2))
    assert not limits.seconds_used("decoded:1")
