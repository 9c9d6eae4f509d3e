"""The project's settings under a production environment made here: no test reads a developer's .env.

Types, `check --deploy` and the tests all use it, so what they see is what production runs.
"""

import os
import re
import secrets
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

scratch = tempfile.TemporaryDirectory()
ROOT = Path(__file__).parents[2]
VARIABLES = re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
os.environ |= {
    # Empty is unset, whatever the shell that runs the tests has exported.
    **dict.fromkeys([*VARIABLES, *(f"{name}_FILE" for name in VARIABLES)], ""),
    "ENV_FILE": "none",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    # Django adds its test client's; with a public one, DEBUG left on would stop every test instead of turning some red.
    "ALLOWED_HOSTS": "localhost",
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", "sqlite://:memory:"),
    "EMAIL_URL": "submission://localhost",
    "DEFAULT_FROM_EMAIL": "site@example.com",
    "MEDIA_ROOT": os.path.join(scratch.name, "media"),
    # % if cookiecutter.cloudinary_moderation
    "CLOUDINARY_URL": "cloudinary://key:secret@cloud",
    # % endif
}

from config.settings import *  # noqa: E402, F403

# `collectstatic` makes the manifest of the production storage; tests read the sources.
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # noqa: F405
STATIC_ROOT = Path(scratch.name) / "static"
STATIC_ROOT.mkdir()
# Looked for when asked for, not listed anew for each client of a test.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
# % if cookiecutter.auth_app
# Nobody is asked about breached passwords here; the log says so.
from accounts import passwords  # noqa: E402

passwords.HOST = "127.0.0.1:1"
# % endif
# % if cookiecutter.cloudinary_moderation
# What has nothing to do with Cloudinary is tested without it.
PHOTO_MODERATOR = "uploads.moderation.StaffReview"
# % endif
