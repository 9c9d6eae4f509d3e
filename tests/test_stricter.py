"""A team's stricter settings leave the emitted tests green.

They ask for at least what the template sets.
"""

import sys

import pytest

from tests.support.baking import ALL_ON, Project, run
from tests.support.releases import Edit, change

pytestmark = pytest.mark.tier("whole")

SETTINGS = "config/settings.py"
STRICTER: list[Edit] = [
    (
        SETTINGS,
        "CSRF_COOKIE_HTTPONLY = True\n",
        (
            "CSRF_COOKIE_HTTPONLY = True\n"
            'SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"\n'
        ),
    ),
    (SETTINGS, "SESSION_COOKIE_AGE = 30 * 60", "SESSION_COOKIE_AGE = 15 * 60"),
    (
        SETTINGS,
        "SESSION_ABSOLUTE_AGE = timedelta(hours=8)",
        "SESSION_ABSOLUTE_AGE = timedelta(hours=4)",
    ),
    (SETTINGS, '"min_length": 12', '"min_length": 16'),
    (SETTINGS, '"10/m/ip,5/5m/key"', '"5/m/ip,3/15m/key"'),
    (SETTINGS, '"20/m/ip"', '"10/m/ip"'),
    (SETTINGS, '"31536000"', '"63072000"'),
    (
        SETTINGS,
        '"SECURE_HSTS_PRELOAD", boolean, "off"',
        '"SECURE_HSTS_PRELOAD", boolean, "on"',
    ),
    (
        SETTINGS,
        '"UPLOADS_PER_HOUR", number(1), "30"',
        '"UPLOADS_PER_HOUR", number(1), "5"',
    ),
    (SETTINGS, '"10485760"', '"5242880"'),
    (
        SETTINGS,
        '"UPLOAD_MAX_PIXELS", number(0), "0"',
        '"UPLOAD_MAX_PIXELS", number(0), "20000000"',
    ),
    (
        SETTINGS,
        '"REJECTED_RETENTION_DAYS", number(1, 36_500), "30"',
        '"REJECTED_RETENTION_DAYS", number(1, 36_500), "7"',
    ),
    (
        SETTINGS,
        '"img-src": [CSP.SELF],',
        '"img-src": [CSP.SELF],\n    "frame-src": [CSP.NONE],',
    ),
]


def test_stricter_settings_leave_the_tests_green(
    project: Project,
) -> None:
    folder = project(ALL_ON)
    change(folder, STRICTER)
    run(
        folder,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
    )
