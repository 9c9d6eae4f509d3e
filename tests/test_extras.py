"""The base depends on Django alone, and says which extra an engine needs."""

import subprocess
import sys

import pytest

# What the extras bring.
PACKAGES = (
    "allauth",
    "argon2",
    "botocore",
    "cloudinary",
    "cryptography",
    "django_permissions_policy",
    "dotenv",
    "fido2",
    "gunicorn",
    "PIL",
    "psycopg",
    "pytest",
    "pytest_django",
    "redis",
    "storages",
    "urllib3",
    "whitenoise",
)
BASE = (
    "secure_django",
    "secure_django.conf",
    "secure_django.conf.checks",
    "secure_django.csv",
    "secure_django.due",
    "secure_django.fetch",
    "secure_django.logging",
    "secure_django.turns",
    "secure_django.user",
    "secure_django.web.caching",
)
# Runs a line without the packages that its first argument names.
SCRIPT = """
import sys
from importlib.abc import MetaPathFinder

import django
from django.conf import settings

hidden = set(sys.argv[1].split(","))


class Hidden(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hidden())
apps = ["django.contrib.auth", "django.contrib.contenttypes"]
settings.configure(INSTALLED_APPS=apps)
django.setup()
exec(sys.argv[2])
"""


def run_without(packages: tuple[str, ...], line: str) -> str:
    """Run a line without some packages, and return its last line of errors."""
    command = [sys.executable, "-c", SCRIPT, ",".join(packages), line]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    return process.stderr.strip().rpartition("\n")[2]


def test_base_needs_django_alone() -> None:
    assert run_without(PACKAGES, f"import {', '.join(BASE)}") == ""


def test_hidden_package_is_missing() -> None:
    error = run_without(("dotenv",), "import dotenv")
    assert error == "ModuleNotFoundError: No module named 'dotenv'"


@pytest.mark.parametrize(
    ("line", "missing", "extra"),
    [
        ("import secure_django.login", "allauth", "site"),
        ("import secure_django.login", "argon2", "site"),
        ("import secure_django.accounts", "allauth", "accounts"),
        ("import secure_django.accounts", "fido2", "accounts"),
        ("import secure_django.photos", "PIL", "site"),
        ("import secure_django.photos", "cryptography", "site"),
        ("import secure_django.photos.cloudinary", "cloudinary", "cloudinary"),
        ("import secure_django.photos.cloudinary", "urllib3", "cloudinary"),
        ("import secure_django.encryption", "cryptography", "site"),
        ("import secure_django.ratelimit", "allauth", "site"),
        ("import secure_django.storage", "whitenoise", "site"),
        ("import secure_django.guard", "pytest", "guard"),
        ("import secure_django.guard", "pytest_django", "guard"),
        ("from secure_django.conf import env; env.load(None)", "dotenv", "site"),
        (
            "from secure_django.conf import fernet_keys; fernet_keys('')",
            "cryptography",
            "site",
        ),
    ],
)
def test_engine_names_its_extra(line: str, missing: str, extra: str) -> None:
    error = run_without((missing,), line)
    assert error.startswith("django.core.exceptions.ImproperlyConfigured: secure_")
    assert missing in error
    assert error.endswith(f'add "secure-django[{extra}]" to the dependencies.')
