"""Settings of a developer's machine."""

from .base import *

DEBUG = True
SECRET_KEY = "local, which opens nothing"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
