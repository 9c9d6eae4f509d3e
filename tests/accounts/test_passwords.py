"""The check for breached passwords, with a stub of Pwned Passwords."""

import hashlib
import logging
import runpy
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection  # a stub's
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from unittest.mock import Mock

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError

from secure_django.accounts import password_validation
from secure_django.accounts.password_validation import BreachedPasswordValidator
from secure_django.testing import HANG_SECONDS, PASSWORD, HTTPSClient
from users.models import User

BREACHED = "correct horse"
DIGEST = hashlib.sha1(BREACHED.encode(), usedforsecurity=False).hexdigest().upper()
PADDED = hashlib.sha1(b"padding", usedforsecurity=False).hexdigest().upper()
pytestmark = pytest.mark.django_db


class Stub(BaseHTTPRequestHandler):
    """Answer as Pwned Passwords does, and record the requests."""

    requests: list[str]
    status: int

    def do_GET(self) -> None:
        self.requests.append(
            f"{self.path} {self.headers['Add-Padding']} {self.headers['User-Agent']}"
        )
        if not self.status:
            self.wfile.write(b"not HTTP\r\n")
            return
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(
            f"{'0' * 35}:3\r\n{DIGEST[5:]}:1\r\n{PADDED[5:]}:0\r\n".encode()
        )

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Stub]]:
    Stub.requests = []
    Stub.status = 200
    with HTTPServer(("127.0.0.1", 0), Stub) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(
            password_validation, "HOST", f"127.0.0.1:{server.server_port}"
        )
        monkeypatch.setattr(password_validation, "HTTPSConnection", HTTPConnection)
        monkeypatch.setattr(password_validation, "TIMEOUT", HANG_SECONDS)
        yield Stub
        server.shutdown()


@pytest.mark.control("V6.2.12")
def test_breached_password_is_rejected_and_never_sent(
    stub: type[Stub], client: HTTPSClient
) -> None:
    response = client.post(
        "/accounts/signup/", {"email": "new@example.com", "password1": BREACHED}
    )
    assert "published in a data breach" in response.text
    assert not User.objects.exists()
    for accepted in ("padding", PASSWORD):
        BreachedPasswordValidator().validate(accepted)
    assert stub.requests[0] == f"/range/{DIGEST[:5]} true Django"
    with pytest.raises(ValidationError) as rejection:
        BreachedPasswordValidator().validate(BREACHED)
    assert rejection.value.code == "password_breached"


@pytest.mark.control("V6.2.12")
def test_breach_check_uses_https_to_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = runpy.run_path(password_validation.__file__)
    assert (original["HOST"], original["HTTPSConnection"]) == (
        "api.pwnedpasswords.com",
        HTTPSConnection,
    )
    monkeypatch.setattr(
        password_validation, "HTTPSConnection", connect := Mock(side_effect=OSError)
    )
    BreachedPasswordValidator().validate(PASSWORD)
    connect.assert_called_once_with(
        password_validation.HOST, timeout=password_validation.TIMEOUT
    )


@pytest.mark.control("V6.2.12")
def test_failed_breach_check_accepts_the_password_and_is_logged(
    stub: type[Stub], caplog: pytest.LogCaptureFixture
) -> None:
    for stub.status in (503, 0):
        BreachedPasswordValidator().validate(BREACHED)
        cache.clear()
    password_validation.HOST = "127.0.0.1:1"
    BreachedPasswordValidator().validate(BREACHED)
    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("secure_django.accounts.password_validation", logging.WARNING)
    ] * 3
    assert [message.split()[-1] for message in caplog.messages][:2] == [
        "ValueError",
        "BadStatusLine",
    ]
    assert DIGEST[:5] not in caplog.text


@pytest.mark.control("V15.2.2")
def test_failed_service_is_not_asked_again_for_a_minute(
    stub: type[Stub], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert password_validation.PAUSE_SECONDS == 60
    stub.status = 503
    for _ in range(3):
        BreachedPasswordValidator().validate(BREACHED)
    assert len(stub.requests) == len(caplog.messages) == 1
    assert "not checked for a minute" in caplog.text
    cache.set(password_validation.PAUSE, time.time() + 86400)  # of a wrong clock
    BreachedPasswordValidator().validate(BREACHED)
    assert len(stub.requests) == 2
    stub.requests.pop()
    cache.clear()
    monkeypatch.setattr(password_validation, "PAUSE_SECONDS", 0)
    for _ in range(3):
        BreachedPasswordValidator().validate(BREACHED)
    assert len(stub.requests) == 4
    stub.status = 200
    with pytest.raises(ValidationError):
        BreachedPasswordValidator().validate(BREACHED)
