"""The WSGI application of `gunicorn config.wsgi`, which reads gunicorn.conf.py."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from secure_django.conf.wsgi import application

__all__ = ["application"]
