"""What the worker tells systemd, its supervisor."""

import os
import socket


def notify_systemd() -> None:
    """Tell systemd that the worker runs (see sd_notify(3)).

    systemd restarts a worker that hangs, and so no longer calls this.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.connect(path.replace("@", "\0", 1))
            server.send(b"READY=1\nWATCHDOG=1")
