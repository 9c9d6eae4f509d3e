"""The door for gunicorn: `gunicorn config.wsgi` (gunicorn.conf.py holds its settings)."""

import logging
import os

from django.core.checks import Tags, run_checks
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# manage.py prints the outcome of checks; a server that starts without it says so in its log.
for message in run_checks(tags=[Tags.security]):
    logging.getLogger("config").warning("%s %s", message.id, message.msg)
