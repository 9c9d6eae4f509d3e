"""The project's settings in a production environment.

The tests never read a developer's .env. The type checker and `check --deploy` use these
settings too.
"""

import os
import re
import secrets
import sys
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

scratch = tempfile.TemporaryDirectory()
ROOT = Path(__file__).parents[2]
VARIABLES = re.findall(
    r"^(\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE
)
os.environ |= {
    # Empty counts as unset, so that exported variables have no effect.
    **dict.fromkeys([*VARIABLES, *(f"{name}_FILE" for name in VARIABLES)], ""),
    "ENV_FILE": "none",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    # Django adds the test client's host. With a public host, DEBUG left on would stop
    # the run instead of failing tests.
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

# pytest shows the log of a failing test itself.
LOGGING["handlers"]["console"]["class"] = "logging.NullHandler"  # type: ignore[index]  # noqa: F405
# The manifest of the production storage needs `collectstatic`; tests read the sources.
STORAGES["staticfiles"]["BACKEND"] = (  # noqa: F405
    "django.contrib.staticfiles.storage.StaticFilesStorage"
)
STATIC_ROOT = Path(scratch.name) / "static"
STATIC_ROOT.mkdir()
# WhiteNoise finds files on demand, instead of listing them for each test client.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
INSTALLED_APPS = [*INSTALLED_APPS, "uploads.tests.example"]  # noqa: F405
# The tests also run on systems that cannot confine the decoder.
DECODER_MAY_BE_UNCONFINED = sys.platform != "linux"
# % if cookiecutter.auth_app
# The tests do not ask the service for breached passwords.
from accounts import password_validation  # noqa: E402

password_validation.HOST = "127.0.0.1:1"
# % endif
# % if cookiecutter.cloudinary_moderation
# The tests of other apps run without Cloudinary.
PHOTO_MODERATION_BACKEND = "uploads.moderation.backends.StaffReviewBackend"
# % endif
