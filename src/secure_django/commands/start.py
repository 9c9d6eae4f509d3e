"""Run the development server and the worker until Ctrl-C.

Before that, apply migrations, and ask for the first administrator.
"""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from secure_django.commands.programs import check_project

SITE = """
The site:   http://localhost:{port}/{reason}
The admin:  http://localhost:{port}/admin/
Emails {emails}. Decisions on photos are told in one email, an hour
after the first of them.
Ctrl-C ends the site and the worker.
"""


def main(port: str) -> int:
    """Return the exit code of what failed, or 0 after Ctrl-C."""
    check_project()
    env_file = Path(os.environ.get("ENV_FILE") or ".env")
    if not env_file.exists() and not os.environ.get("SECRET_KEY"):
        sys.exit(
            "Copy .env.example to .env, set DEBUG=on,"
            " and fill in the variables under Required."
        )
    if not is_port(port):
        sys.exit(
            f"{port} is not a port: choose a number from 1 to 65535,"
            " as in `uv run poe start 9200`."
        )
    if not is_free(port):
        sys.exit(
            f"Port {port} is in use, or reserved for the system:"
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
    print(describe_site(port), flush=True)
    worker = manage("worker")
    # It listens at 127.0.0.1, to which this name leads, and prints the name.
    server = manage("runserver", f"localhost:{port}")
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    server.wait()
    worker.terminate()
    worker.wait()
    return 0


def is_port(text: str) -> bool:
    # For the port 0, the system would choose a free one, at each of the two addresses.
    is_number = re.fullmatch(r"[0-9]{1,5}", text)
    return bool(is_number) and 1 <= int(text) <= 65535


def is_free(port: str) -> bool:
    """Return whether no other program has the port at localhost.

    Browsers try the address ::1 first, where another server would answer instead.
    """
    try:
        socket.create_server(("127.0.0.1", int(port))).close()
    except OSError:
        return False
    try:
        socket.create_server(("::1", int(port)), family=socket.AF_INET6).close()
    except OSError as error:
        return error.errno != errno.EADDRINUSE  # others: a machine without IPv6
    return True


def describe_site(port: str) -> str:
    """Return where everything works, and when emails come."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings

    has_passkeys = "secure_django.accounts" in settings.INSTALLED_APPS
    reason = " (not at 127.0.0.1: passkeys need the name)" if has_passkeys else ""
    backend = settings.MAILERS["default"]["BACKEND"]
    is_printed = backend.endswith(".ConsoleBackend")
    emails = "are printed in this terminal" if is_printed else "are sent by EMAIL_URL"
    return SITE.format(port=port, reason=reason, emails=emails)


def manage(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "manage.py", *command])  # noqa: S603 - no shell


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]) or "8000"))
