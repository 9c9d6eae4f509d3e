"""The environment and the settings of tests: production, without a developer's .env."""

import os
import re
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

__all__ = ["adapt", "prepare"]

scratch = tempfile.TemporaryDirectory()


def example_values() -> dict[str, str]:
    """Return a valid value of each variable that has no default in production."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        # Django adds the test client's host. With a public host, DEBUG left on would
        # stop the run instead of failing tests.
        "ALLOWED_HOSTS": "localhost",
        "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", "sqlite://:memory:"),
        "EMAIL_URL": "submission://localhost",
        "DEFAULT_FROM_EMAIL": "site@example.com",
        "MEDIA_ROOT": os.path.join(scratch.name, "media"),
        # For a project on a platform: its tests have no bucket.
        "MEDIA_ROOT_IS_PERSISTENT": "on",
        "CLOUDINARY_URL": "cloudinary://key:secret@cloud",
    }


def prepare(root: Path, **own_values: str) -> None:
    """Set the environment of a project, before its settings read it.

    A project passes the values of its own variables.
    """
    example = (root / ".env.example").read_text(encoding="utf-8")
    names = re.findall(r"^(\w+)=", example, re.MULTILINE)
    values = example_values()
    os.environ |= {
        # Empty counts as unset, so that exported variables have no effect.
        **dict.fromkeys([*names, *(f"{name}_FILE" for name in names)], ""),
        "ENV_FILE": "none",
        **{name: value for name, value in values.items() if name in names},
        **own_values,
    }


def adapt(settings: dict[str, Any]) -> None:
    """Change what tests need in another way."""
    # pytest shows the log of a failing test itself.
    settings["LOGGING"]["handlers"]["console"]["class"] = "logging.NullHandler"
    # The manifest of the production storage needs `collectstatic`; tests read the
    # sources.
    settings["STORAGES"]["staticfiles"]["BACKEND"] = (
        "django.contrib.staticfiles.storage.StaticFilesStorage"
    )
    static = Path(scratch.name) / "static"
    static.mkdir(exist_ok=True)
    settings["STATIC_ROOT"] = static
    # WhiteNoise finds files on demand, instead of listing them for each test client.
    settings["WHITENOISE_USE_FINDERS"] = True
    settings["WHITENOISE_AUTOREFRESH"] = True
    # The tests also run on systems that cannot confine the decoder.
    settings["DECODER_MAY_BE_UNCONFINED"] = sys.platform != "linux"
    # The tests ask no other site for verdicts.
    settings["PHOTO_MODERATION_BACKEND"] = (
        "secure_django.photos.moderation.backends.StaffReviewBackend"
    )
