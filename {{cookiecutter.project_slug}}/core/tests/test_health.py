"""Health checks and security.txt."""

import time
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from core import views
from core.testing import HTTPSClient


def test_live_needs_no_service(client: HTTPSClient) -> None:
    assert client.get("/health/live/").content == b"ok"


@pytest.mark.django_db(transaction=True)
def test_ready_checks_database_and_cache(client: HTTPSClient) -> None:
    assert client.get("/health/ready/").content == b"ok"


@pytest.mark.control("V13.4.5")
@pytest.mark.control("V16.5.2")
def test_ready_fails_in_time_without_details(client: HTTPSClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("database.internal refused")

    monkeypatch.setattr(views, "check_services", refuse)
    response = client.get("/health/ready/")
    assert (response.status_code, response.content) == (503, b"not ready")
    monkeypatch.setattr(views, "READY_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(views, "check_services", lambda: time.sleep(0.2))
    response = client.get("/health/ready/")
    assert (response.status_code, response.content) == (503, b"not ready")


def test_security_txt_has_a_contact_and_has_not_expired(client: HTTPSClient) -> None:
    response = client.get("/.well-known/security.txt")
    fields = dict(row.split(": ", 1) for row in response.content.decode().splitlines())
    assert fields["Contact"] == f"mailto:{settings.SECURITY_CONTACT}"
    assert timezone.now() < datetime.fromisoformat(fields["Expires"]) < timezone.now() + timedelta(days=365)
