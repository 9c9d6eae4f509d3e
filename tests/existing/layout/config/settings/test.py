"""Settings of the tests."""

from .base import *

SECRET_KEY = "of tests, which opens nothing"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
