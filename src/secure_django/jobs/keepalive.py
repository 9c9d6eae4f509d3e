"""Notifications to systemd, the worker's supervisor."""

import logging
import os
import socket
from threading import Event

logger = logging.getLogger(__name__)
SECONDS = 1  # systemd reads at once, unless it hangs
was_reported = Event()  # of a socket that does not answer


def notify_systemd() -> None:
    """Notify systemd that the worker runs: sd_notify(3).

    A worker that hangs no longer calls this function, so systemd restarts it. A socket
    that does not answer is logged once, and the worker goes on.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.settimeout(SECONDS)
            server.connect(path.replace("@", "\0", 1))
            server.send(b"READY=1\nWATCHDOG=1")
    except OSError as error:
        if not was_reported.is_set():
            was_reported.set()
            logger.error(  # without frames, which say nothing more
                "systemd does not learn that the worker runs: the socket of"
                " NOTIFY_SOCKET does not answer (%s). The worker goes on.",
                type(error).__name__,
            )
    else:
        was_reported.clear()
