"""The WSGI application, which config/wsgi.py of a project imports."""

import logging
import re
from typing import Any

from django.conf import settings
from django.core.checks import Tags, run_checks
from django.core.wsgi import get_wsgi_application
from django.http.response import HttpResponseBase

from secure_django.postgresql import limit_waits

__all__ = ["application"]

# A charset other than UTF-8, in any spelling.
OTHER_CHARSET = re.compile(
    r"""\*|charset(?!\s*=\s*"?utf-?8"?\s*(;|$))""", re.IGNORECASE
)
UTF_8 = re.compile(r""";\s*charset\s*=\s*"?utf-?8"?\s*(?=;|$)""", re.IGNORECASE)
django_application = get_wsgi_application()
limit_waits(getattr(settings, "DATABASE_WAIT_SECONDS", 7))


def application(environ: dict[str, Any], start_response: Any) -> HttpResponseBase:
    """Mark other charsets, so that the site refuses them with an error page.

    If there is a charset, Django decodes the query before any middleware, with any
    codec of Python. A query that it refuses would have no error page. So UTF-8, which
    is the default, is left out.
    """
    content_type = environ.get("CONTENT_TYPE", "")
    if OTHER_CHARSET.search(content_type):
        environ["CONTENT_TYPE"] = "text/plain; charset=malformed"
    else:
        environ["CONTENT_TYPE"] = UTF_8.sub("", content_type)
    return django_application(environ, start_response)


# `manage.py check --deploy` runs the same checks; a server logs them at its start.
logger = logging.getLogger(__name__)
messages = run_checks(
    tags=[Tags.security], include_deployment_checks=not settings.DEBUG
)
for message in messages:
    if not message.is_silenced():
        logger.warning("%s %s", message.id, message.msg)
