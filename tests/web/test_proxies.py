"""The detection of a wrong TRUSTED_PROXY_COUNT."""

import re
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import OperationalError
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
        f"TRUSTED_PROXY_COUNT={count} is too small, or every visitor forges", error
    )
    is_fine, text, advice = check_proxy_count()
    assert (is_fine, text) == (False, f"TRUSTED_PROXY_COUNT={count} is too small")
    assert "number of proxies that you run" in advice
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


def test_finding_without_a_database_fails_no_request(
    client: HTTPSClient, caplog: pytest.LogCaptureFixture
) -> None:
    with patch.object(
        LastRun.objects, "update_or_create", side_effect=OperationalError
    ):
        assert set(visit(client, *[1] * proxies.MORE_LIMIT)) == {200}
    assert len(errors(caplog)) == 2
