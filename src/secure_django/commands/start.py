"""Run the development server and the worker until Ctrl-C.

Before that, apply migrations, and ask for the first administrator.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from secure_django.commands.programs import check_project


def main(port: str) -> int:
    """Return the exit code of what failed, or 0 after Ctrl-C."""
    check_project()
    env_file = Path(os.environ.get("ENV_FILE") or ".env")
    if not env_file.exists() and not os.environ.get("SECRET_KEY"):
        sys.exit(
            "Copy .env.example to .env, set DEBUG=on,"
            " and fill in the variables under Required."
        )
    try:
        socket.create_server(("127.0.0.1", int(port))).close()
    except (OSError, OverflowError, ValueError):
        sys.exit(
            f"Port {port} is in use or invalid:"
            " choose another one, as in `uv run poe start 9200`."
        )
    # Ctrl-C reaches the server and the worker too. This process waits for both; SIGTERM
    # is passed on.
    signal.signal(signal.SIGINT, lambda *_: None)
    status = manage("migrate").wait()
    if status == 0 and sys.stdin.isatty():
        status = manage("createsuperuser", "--first", "--skip-checks").wait()
    if status != 0:
        return status
    worker = manage("worker")
    server = manage("runserver", port)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    server.wait()
    worker.terminate()
    worker.wait()
    return 0


def manage(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "manage.py", *command])  # noqa: S603 - no shell


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]) or "8000"))
