"""Health checks and security.txt."""

import errno
from datetime import datetime, timedelta
from threading import Event, Thread
from unittest.mock import MagicMock, Mock

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from secure_django.testing import HANG_SECONDS, HTTPSClient
from secure_django.web import health
from secure_django.web.links import absolute_url


def test_live_needs_no_service(client: HTTPSClient) -> None:
    response = client.get("/health/live/")
    assert (response.content, response.headers["Content-Type"]) == (b"ok", "text/plain")
    assert "no-store" in response.headers["Cache-Control"]


@pytest.fixture(autouse=True)
def no_earlier_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "checked_at", 0.0)
    monkeypatch.setattr(health, "is_ready", False)


@pytest.mark.django_db
def test_ready_checks_all_services(
    client: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        health, "default_storage", storage := Mock(wraps=default_storage)
    )
    for _ in range(2):  # the first check creates the folder of photos
        monkeypatch.setattr(health, "checked_at", 0.0)
        response = client.get("/health/ready/")
        assert (response.content, response.headers["Content-Type"]) == (
            b"ok",
            "text/plain",
        )
        assert "no-store" in response.headers["Cache-Control"]
    assert default_storage.listdir("") == ([], [])
    assert storage.save.call_count == 1


@pytest.mark.control("status")
@pytest.mark.django_db
def test_site_with_a_full_disk_is_not_ready(
    client: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", Mock(return_value=Mock(free=1024)))
    assert client.get("/health/ready/").status_code == 503
    monkeypatch.setattr(health, "checked_at", 0.0)
    bucket = Mock(wraps=default_storage, path=Mock(side_effect=NotImplementedError))
    monkeypatch.setattr(health, "default_storage", bucket)
    assert client.get("/health/ready/").status_code == 200


@pytest.mark.control("status")
@pytest.mark.django_db
def test_site_with_a_read_only_disk_is_not_ready(
    client: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/health/ready/").status_code == 200
    refusing = Mock(side_effect=OSError(errno.EROFS, "Read-only file system"))
    monkeypatch.setattr("os.open", refusing)
    monkeypatch.setattr(health, "checked_at", 0.0)
    assert client.get("/health/ready/").status_code == 503


@pytest.mark.control("V13.4.5")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("service", "client_of_service", "method"),
    [
        ("database", "connection", "cursor"),
        ("cache", "cache", "get"),
        ("storage", "default_storage", "exists"),
        ("static files", "staticfiles_storage", "url"),
    ],
)
def test_only_the_log_names_the_service_that_failed(
    service: str,
    client_of_service: str,
    method: str,
    client: HTTPSClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusing = MagicMock(**{f"{method}.side_effect": OSError("host.internal refused")})
    monkeypatch.setattr(health, client_of_service, refusing)
    response = client.get("/health/ready/")
    assert (response.status_code, response.content) == (503, b"not ready")
    assert response.headers["Content-Type"] == "text/plain"
    assert f"not ready: {service}" in caplog.messages


@pytest.mark.control("V13.4.5")
def test_health_checks_alone_need_no_https_and_no_host() -> None:
    for client in (Client(), HTTPSClient()):
        assert (
            client.get("/health/live/", headers={"host": "10.0.0.5"}).content == b"ok"
        )
        for path in (
            "/",
            "/health/live",
            "/health/live/x/",
            "/health/live/%0A",
            "/health//live/",
            "/csp-report/",
        ):
            assert client.get(path, headers={"host": "10.0.0.5"}).status_code == 400, (
                path
            )
    assert Client().get("/health/live/x/").status_code == 301


@pytest.mark.control("V13.4.5")
@pytest.mark.control("V16.5.2")
def test_ready_asks_once_a_second_and_never_waits_twice(
    client: HTTPSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Mock()
    clock = Mock(return_value=health.checked_at + 1)
    monkeypatch.setattr(health, "SERVICES", {"storage": service})
    monkeypatch.setattr(health, "time", Mock(monotonic=clock))
    assert {client.get("/health/ready/").content for _ in range(20)} == {b"ok"}
    assert service.call_count == 1
    answers = []
    hanging = Event()

    def ask() -> None:
        answers.append(client.get("/health/ready/").content)

    service.side_effect = lambda: hanging.wait(HANG_SECONDS)
    clock.return_value += 1
    thread = Thread(target=ask)
    thread.start()
    while service.call_count < 2:
        pass
    ask()
    clock.return_value += 2
    ask()
    hanging.set()
    thread.join()
    assert (answers, service.call_count) == ([b"ok", b"not ready", b"ok"], 2)


def test_security_txt_has_a_contact_and_has_not_expired(client: HTTPSClient) -> None:
    response = client.get("/.well-known/security.txt")
    fields = dict(row.split(": ", 1) for row in response.text.splitlines())
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert fields["Canonical"] == absolute_url("/.well-known/security.txt")
    assert "Preferred-Languages" in fields
    assert fields["Contact"] == f"mailto:{settings.SECURITY_CONTACT}"
    expires = datetime.fromisoformat(fields["Expires"])
    in_a_year = timezone.now() + timedelta(days=365)
    assert timezone.now() < expires < in_a_year
