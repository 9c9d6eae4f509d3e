"""The base depends on Django alone, and says which extra an engine needs."""

import json
import subprocess
import sys

import pytest

# What the extras bring.
PACKAGES = (
    "allauth",
    "anymail",
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
# Lines of code, the packages that each lacks, and the extra that its error names.
LINES = [
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
]
IMPORT_BASE = f"import {', '.join(BASE)}"
IMPORT_HIDDEN = "import dotenv"
# Runs each line in the state of a process that lacks the packages beside the line. All
# lines share one process, since its start takes longer than they.
SCRIPT = """
import json, sys
from importlib.abc import MetaPathFinder

import django
from django.conf import settings

hidden = set()


class Hidden(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def error_of(line, packages):
    hidden.update(packages)
    left_out = {"secure_django", *packages}
    imported = {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in left_out
    }
    for name in imported:
        del sys.modules[name]
    try:
        exec(line, {})
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        hidden.clear()
        sys.modules.update(imported)
    return ""


sys.meta_path.insert(0, Hidden())
apps = ["django.contrib.auth", "django.contrib.contenttypes"]
settings.configure(INSTALLED_APPS=apps)
django.setup()
print(json.dumps([error_of(*arguments) for arguments in json.load(sys.stdin)]))
"""


type Errors = dict[tuple[str, tuple[str, ...]], str]


@pytest.fixture(scope="module")
def errors() -> Errors:
    """Return the error of each line without its packages, or nothing."""
    keys: list[tuple[str, tuple[str, ...]]] = [
        (IMPORT_BASE, PACKAGES),
        (IMPORT_HIDDEN, ("dotenv",)),
        *((line, (missing,)) for line, missing, _ in LINES),
    ]
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(keys),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(keys, json.loads(process.stdout), strict=True))


def test_base_needs_django_alone(errors: Errors) -> None:
    assert errors[IMPORT_BASE, PACKAGES] == ""


def test_hidden_package_is_missing(errors: Errors) -> None:
    error = errors[IMPORT_HIDDEN, ("dotenv",)]
    assert error == "ModuleNotFoundError: No module named 'dotenv'"


@pytest.mark.parametrize(("line", "missing", "extra"), LINES)
def test_engine_names_its_extra(
    line: str, missing: str, extra: str, errors: Errors
) -> None:
    error = errors[line, (missing,)]
    assert error.startswith("ImproperlyConfigured: secure_")
    assert missing in error
    assert error.endswith(f'add "secure-django[{extra}]" to the dependencies.')
