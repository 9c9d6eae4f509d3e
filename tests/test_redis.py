"""A Redis with the documented lines keeps the limits when it is killed."""

import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

import secure_django
from secure_django.conf.environment import cache_url
from secure_django.mail.invitations import send_invitation
from secure_django.ratelimit import rate_limit
from secure_django.testing import Travel
from tests.support.services import free_port, killed_redis
from users.models import User

pytestmark = pytest.mark.tier("whole")

DOCUMENT = Path(secure_django.__file__).parent / "docs" / "several-machines.md"
UNWRITTEN_SECONDS = 2.5  # as long as Redis may keep a change in memory
TEMPLATE = "account/email/unknown_account"


def documented_lines() -> str:
    text = DOCUMENT.read_text(encoding="utf-8")
    block = re.search(r"^## Redis\n.*?^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert block
    return block[1]


@rate_limit(3, seconds=86400)
def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def post(user: User) -> Any:
    request = RequestFactory().post("/")
    request.user = user
    return request


@pytest.mark.control("recipients")
def test_limits_survive_a_redis_that_is_killed(
    settings: Settings, user: User, tmp_path: Path
) -> None:
    port = free_port()
    settings.CACHES = {"default": cache_url(f"redis://127.0.0.1:{port}")}

    def invite(number: int) -> bool:
        email = f"{number}@example.com"
        return send_invitation(post(user), email, TEMPLATE, "home")

    with killed_redis(tmp_path, port, documented_lines()):
        assert all(invite(number) for number in range(20))
        assert [page(post(user)).status_code for _ in range(3)] == [200] * 3
        cache.set("counted", 1, timeout=86400)
        time.sleep(UNWRITTEN_SECONDS)
    with killed_redis(tmp_path, port, documented_lines()):
        assert cache.get("counted") == 1
        assert not invite(20)
        assert page(post(user)).status_code == 429


@pytest.mark.django_db
@pytest.mark.control("V2.4.1")
def test_request_of_a_clock_ahead_counts_as_now_in_redis(
    settings: Settings, user: User, travel: Travel, tmp_path: Path
) -> None:
    port = free_port()
    settings.CACHES = {"default": cache_url(f"redis://127.0.0.1:{port}")}
    with killed_redis(tmp_path, port, ""):
        travel(timedelta(days=2))
        assert [page(post(user)).status_code for _ in range(4)] == [200, 200, 200, 429]
        travel(timedelta(days=-2))
        assert page(post(user)).status_code == 429
        travel(timedelta(hours=25))
        assert page(post(user)).status_code == 200
