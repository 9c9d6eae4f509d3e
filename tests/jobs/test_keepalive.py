import secrets
import socket
import sys

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
