"""The WSGI application of the test site."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from secure_django.conf.wsgi import application

__all__ = ["application"]
