"""Notifications to systemd, the worker's supervisor."""

import os
import socket


def notify_systemd() -> None:
    """Notify systemd that the worker runs: sd_notify(3).

    A worker that hangs no longer calls this function, so systemd restarts it.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.connect(path.replace("@", "\0", 1))
            server.send(b"READY=1\nWATCHDOG=1")
