"""What others ask the site."""

import time
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from config import views
from conftest import HTTPSClient


def test_live_answers_without_any_service(client: HTTPSClient) -> None:
    assert client.get("/health/live/").content == b"ok"


@pytest.mark.django_db(transaction=True)
def test_ready_reaches_database_and_cache(client: HTTPSClient) -> None:
    assert client.get("/health/ready/").content == b"ok"


@pytest.mark.control("V13.4.5")
@pytest.mark.control("V16.5.2")
def test_ready_fails_in_time_and_tells_nothing(client: HTTPSClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("database.internal refused")

    monkeypatch.setattr(views, "reach_services", refuse)
    answer = client.get("/health/ready/")
    assert (answer.status_code, answer.content) == (503, b"not ready")
    monkeypatch.setattr(views, "READY_DEADLINE_SECONDS", 0.01)
    monkeypatch.setattr(views, "reach_services", lambda: time.sleep(0.2))
    answer = client.get("/health/ready/")
    assert (answer.status_code, answer.content) == (503, b"not ready")


def test_security_txt_names_a_contact_and_has_not_expired(client: HTTPSClient) -> None:
    answer = client.get("/.well-known/security.txt")
    fields = dict(row.split(": ", 1) for row in answer.content.decode().splitlines())
    assert fields["Contact"] == f"mailto:{settings.SECURITY_CONTACT}"
    assert timezone.now() < datetime.fromisoformat(fields["Expires"]) < timezone.now() + timedelta(days=365)
