"""A project with Django's own user, log-in and admin, that adopts photos."""

import os
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.management.utils import get_random_secret_key

from secure_django.photos.defaults import *

SECRET_KEY = get_random_secret_key()
BASE_DIR = Path(os.environ["FOLDER"])
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "tests.adoption.urls"
INSTALLED_APPS = [
    "secure_django",
    "secure_django.photos",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "tests.adoption",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
}
MEDIA_ROOT = BASE_DIR / "media"
MAILERS = {
    "default": {"BACKEND": "secure_django.mail.outbox.OutboxBackend"},
    "server": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"},
}
USE_TZ = True
STATIC_URL = "/static/"

SITE_NAME = "Adoption"
DOMAIN_NAME = "example.com"
SECURITY_CONTACT = "security@example.com"
ACCOUNT_RATE_LIMITS = {
    "invitation": "1/d/key",
    "invitation_by_user": "1/d/user",
    "invitation_by_visitor": "1/d/key",
}
FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

if "WITHOUT_PHOTOS" in os.environ:
    INSTALLED_APPS.remove("secure_django.photos")
