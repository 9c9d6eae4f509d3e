"""The WSGI application: `gunicorn config.wsgi`. gunicorn.conf.py holds gunicorn's settings."""

import logging
import os

from django.core.checks import Tags, run_checks
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# manage.py runs the checks itself; a server that starts without it logs them.
for message in run_checks(tags=[Tags.security]):
    logging.getLogger("config").warning("%s %s", message.id, message.msg)
