"""Rate limits of views, per user or IP address.

They name a time to wait, and fail closed while the cache is down.
"""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from pytest_django import Settings

from secure_django.ratelimit import rate_limit
from secure_django.testing import HTTPSClient
from users.models import User

pytestmark = pytest.mark.django_db


@rate_limit(2, seconds=60)
def per_user(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@rate_limit(2, seconds=60, methods=["GET"])
def search(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def post(client: HTTPSClient, ip: str) -> Any:
    return client.post(
        "/csp-report/", "[]", content_type="application/reports+json", REMOTE_ADDR=ip
    )


@pytest.mark.control("V2.4.1")
def test_limit_is_per_user_and_for_changes_only(
    rf: Any, user: User, other_user: User
) -> None:
    def status(method: str, person: Any) -> int:
        request = rf.generic(method, "/")
        request.user = person
        return per_user(request).status_code

    assert [status(method, user) for method in ("PUT", "PATCH", "DELETE", "POST")] == [
        200,
        200,
        429,
        429,
    ]
    assert status("POST", other_user) == status("GET", user) == 200
    with pytest.raises(ImproperlyConfigured):
        status("POST", AnonymousUser())


@pytest.mark.control("V2.4.1")
def test_head_is_counted_with_get(rf: Any, user: User) -> None:
    statuses = []
    for method in ("HEAD", "GET", "HEAD", "POST"):
        request = rf.generic(method, "/")
        request.user = user
        statuses.append(search(request).status_code)
    assert statuses == [200, 200, 429, 200]


@pytest.mark.control("V2.4.1")
def test_ipv6_network_is_limited_as_one_ip_address(client: HTTPSClient) -> None:
    assert {
        post(client, f"2001:db8::{number}").status_code for number in range(20)
    } == {204}
    response = post(client, "2001:db8::ffff")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert "<h1>Too many attempts</h1>" in response.text
    assert (
        post(client, "2001:db8:0:1::1").status_code
        == post(client, "192.0.2.1").status_code
        == 204
    )


@pytest.mark.control("V16.5.3")
def test_limited_view_is_closed_while_the_cache_is_down(
    client: HTTPSClient,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("secure_django.web.unavailable.quiet_until", {})
    settings.CACHES = {"default": {"BACKEND": "secure_django.testing.DeadCache"}}
    assert post(client, "192.0.2.1").status_code == 503
    assert "secure_django.web.unavailable" in {
        record.name for record in caplog.records if record.exc_info
    }
