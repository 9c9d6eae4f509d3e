import secrets
import socket
import sys
from pathlib import Path
from threading import Event

import pytest

from secure_django.jobs.keepalive import notify_systemd
from secure_django.testing import HANG_SECONDS


@pytest.mark.control("status")
@pytest.mark.skipif(sys.platform != "linux", reason="systemd needs Linux")
def test_systemd_is_told_that_the_worker_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(name := f"\0{secrets.token_hex(8)}")
        server.settimeout(HANG_SECONDS)
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
        notify_systemd()
        assert server.recv(100).split() == [b"READY=1", b"WATCHDOG=1"]


@pytest.mark.control("status")
@pytest.mark.skipif(sys.platform != "linux", reason="systemd needs Linux")
def test_socket_that_is_gone_is_reported_once_and_ends_no_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    # The path of a socket has at most 107 bytes, and that of this folder may have more.
    monkeypatch.chdir(tmp_path)
    name = Path("notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(name))
    monkeypatch.setattr("secure_django.jobs.keepalive.was_reported", Event())
    for kind in ("FileNotFoundError", "ConnectionRefusedError"):
        caplog.clear()
        notify_systemd()
        notify_systemd()
        (record,) = caplog.records
        assert f"NOTIFY_SOCKET does not answer ({kind})" in record.getMessage()
        assert not record.exc_info
        name.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(str(name))
            notify_systemd()  # the next failure is reported again
