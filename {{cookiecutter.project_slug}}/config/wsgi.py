"""The WSGI application: `gunicorn config.wsgi`. gunicorn.conf.py holds gunicorn's settings."""

import logging
import os
from typing import Any

from django.core.checks import Tags, run_checks
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django_application = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    try:
        WSGIRequest(environ.copy())
    except Exception:  # by some charsets, before any middleware; RequestValidationMiddleware refuses this one
        environ["CONTENT_TYPE"] = "text/plain; charset=malformed"
    return django_application(environ, start_response)


# manage.py runs the checks itself; a server that starts without it logs them.
for message in run_checks(tags=[Tags.security]):
    logging.getLogger("config").warning("%s %s", message.id, message.msg)
