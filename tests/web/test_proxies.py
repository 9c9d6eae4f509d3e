"""The detection of a wrong TRUSTED_PROXY_COUNT."""

import re
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from secure_django.models import LastRun
from secure_django.status import check_proxy_count
from secure_django.testing import HTTPSClient
from secure_django.web import proxies

PAGE = "/.well-known/security.txt"
pytestmark = pytest.mark.django_db


def visit(client: HTTPSClient, *entries: int) -> list[int]:
    """Send requests with so many entries, and return their statuses."""
    values = [", ".join(["192.0.2.1"] * number) for number in entries]
    responses = [client.get(PAGE, headers={"x-forwarded-for": it}) for it in values]
    return [response.status_code for response in responses]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage() for record in caplog.records if record.levelname == "ERROR"
    ]


@pytest.mark.control("V4.1.3")
@pytest.mark.control("status")
@pytest.mark.parametrize("count", [0, 1])
def test_too_small_count_of_proxies_is_noticed(
    count: int,
    client: HTTPSClient,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.TRUSTED_PROXY_COUNT = count
    # Every second visitor forges the header.
    visits = [count + 1, count + 4] * proxies.MORE_LIMIT
    assert set(visit(client, *visits[: proxies.MORE_LIMIT - 1])) == {200}
    assert errors(caplog) == []
    visit(client, *visits)
    (error,) = errors(caplog)
    assert re.match(
        f"TRUSTED_PROXY_COUNT={count} is too small: {count + 1} fits the requests,"
        " or every visitor forges",
        error,
    )
    is_fine, text, advice = check_proxy_count()
    assert not is_fine
    assert text == (
        f"TRUSTED_PROXY_COUNT={count} is too small: {count + 1} fits the requests"
    )
    assert "Set TRUSTED_PROXY_COUNT to the number of proxies that you run" in advice
    settings.TRUSTED_PROXY_COUNT = count + 1
    assert check_proxy_count()[0]


@pytest.mark.control("V4.1.3")
@pytest.mark.control("status")
def test_too_large_count_of_proxies_is_noticed(
    client: HTTPSClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRUSTED_PROXY_COUNT = 2
    statuses = visit(client, *[1, 2, 3] * proxies.FEWER_LIMIT)
    assert statuses == [400, 200, 200] * proxies.FEWER_LIMIT
    (error,) = errors(caplog)
    assert "too large, or requests bypass a proxy" in error
    assert check_proxy_count()[:2] == (False, "TRUSTED_PROXY_COUNT=2 is too large")
    LastRun.objects.update(at=timezone.now() - timedelta(hours=25))
    assert check_proxy_count()[0]


@pytest.mark.control("V4.1.3")
@pytest.mark.control("status")
@pytest.mark.parametrize("count", [0, 1])
def test_forged_entries_raise_no_alarm(
    count: int,
    client: HTTPSClient,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.TRUSTED_PROXY_COUNT = count
    forged = [count + 3] * (proxies.MORE_LIMIT - 1)
    visit(client, *forged, count, *forged, *forged)
    assert errors(caplog) == []
    assert check_proxy_count()[0]


@pytest.mark.control("status")
def test_alarm_by_the_first_visitor_is_taken_back(
    client: HTTPSClient, settings: Settings
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    visit(client, *[2] * proxies.MORE_LIMIT)
    assert not check_proxy_count()[0]
    visit(client, 1)
    assert check_proxy_count()[0]


def pass_proxy(visitor: Client, peer: str, entries: str | None = "192.0.2.1") -> int:
    """Send a request as a proxy does that received it over HTTPS."""
    headers = {"x-forwarded-proto": "https"}
    if entries is not None:
        headers["x-forwarded-for"] = entries
    return visitor.get(PAGE, headers=headers, REMOTE_ADDR=peer).status_code


@pytest.mark.control("V4.1.3")
@pytest.mark.control("status")
@pytest.mark.parametrize("peer", ["10.0.0.2", "127.0.0.1", "::ffff:172.17.0.1", ""])
@pytest.mark.parametrize(
    ("entries", "fitting"), [("192.0.2.1", 1), ("192.0.2.1, 192.0.2.2", 2), (None, 1)]
)
def test_loop_behind_a_proxy_is_named_at_the_first_visit(
    peer: str, entries: str | None, fitting: int, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = Client()
    visitor.get(PAGE)  # by the operator, on the machine
    for _ in range(proxies.LOOP_LIMIT - 1):
        assert pass_proxy(visitor, peer, entries) == 301
        assert visitor.get("/health/live/").status_code == 200
    assert errors(caplog) == []
    assert pass_proxy(visitor, peer, entries) == 301
    (error,) = errors(caplog)
    finding = f"TRUSTED_PROXY_COUNT=0 is too small: {fitting} fits the requests"
    assert error.startswith(finding)
    assert check_proxy_count()[:2] == (False, finding)
    visitor.get(PAGE)
    assert check_proxy_count()[0]


@pytest.mark.control("V4.1.3")
@pytest.mark.control("status")
def test_forged_loop_raises_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    visitor = Client()
    for _ in range(proxies.MORE_LIMIT - 1):
        assert pass_proxy(visitor, "8.8.8.8") == 301
    # In an intranet without a proxy, where others visit the site too.
    for _ in range(proxies.LOOP_LIMIT):
        visitor.get(PAGE)
        for _ in range(proxies.LOOP_LIMIT - 1):
            assert pass_proxy(visitor, "10.0.0.2") == 301
    assert errors(caplog) == []
    assert check_proxy_count()[0]


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_finding_without_a_database_fails_no_request(
    error: type[Exception], client: HTTPSClient, caplog: pytest.LogCaptureFixture
) -> None:
    with patch.object(LastRun.objects, "update_or_create", side_effect=error):
        assert set(visit(client, *[1] * proxies.MORE_LIMIT)) == {200}
    assert len(errors(caplog)) == 2
