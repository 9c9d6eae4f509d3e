"""Settings of `gunicorn config.wsgi`, to run behind a proxy that buffers requests."""

import os
import sys
from pathlib import Path

from dotenv import dotenv_values

env_file = Path(__file__).parent / (os.environ.get("ENV_FILE") or ".env")
env = dotenv_values(env_file) | os.environ
port = env.get("PORT")  # platforms set it
if port and not (port.isdecimal() and 1 <= int(port) <= 65535):
    # gunicorn would choose a port itself, or end without saying why.
    sys.exit("PORT: Must be a number from 1 to 65535.")
default_bind = f"0.0.0.0:{port}" if port else "127.0.0.1:8000"
bind = env.get("BIND") or default_bind
concurrency = env.get("WEB_CONCURRENCY") or "2"
workers = int(concurrency) if concurrency.isdecimal() else 0
if not workers:
    # Without workers, gunicorn starts and answers nothing.
    sys.exit("WEB_CONCURRENCY: Must be a number from 1.")
worker_class = "gthread"
threads = 4
# After SIGTERM or SIGINT. The settings check the number, of which gunicorn itself needs
# a second.
grace_seconds = env.get("GRACE_SECONDS") or "60"
graceful_timeout = int(grace_seconds) - 1 if grace_seconds.isdecimal() else 59
# Seconds until an unresponsive worker is replaced. The largest photo takes less.
timeout = 60
# Only TRUSTED_PROXY_COUNT decides whether forwarded headers are trusted. On a Unix
# socket, gunicorn would trust any client's, such as SCRIPT_NAME, which moves all URLs.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
control_socket_disable = True
# gunicorn logs JSON lines as well. Its own format would put untrusted text and whole
# tracebacks into the log.
logconfig_dict = {
    "formatters": {"generic": {"()": "secure_django.logging.JSONFormatter"}},
    "loggers": {
        "gunicorn.error": {
            "level": "INFO",
            "handlers": ["error_console"],
            "propagate": False,
        }
    },
}
