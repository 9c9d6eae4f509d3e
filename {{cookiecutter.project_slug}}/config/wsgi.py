"""The WSGI application of `gunicorn config.wsgi`, which reads gunicorn.conf.py."""

import logging
import os

from django.conf import settings
from django.core.checks import Tags, run_checks
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# `manage.py check --deploy` runs the same checks; a server logs them at its start.
for message in run_checks(
    tags=[Tags.security], include_deployment_checks=not settings.DEBUG
):
    if not message.is_silenced():
        logging.getLogger("config").warning("%s %s", message.id, message.msg)
