"""A team's stricter settings leave a project's tests green.

They ask for at least what the template sets.
"""

import pytest

from tests.support.baking import ALL_ON, RAW, Project
from tests.support.releases import Edit, change
from tests.support.suite import run_tests

pytestmark = pytest.mark.tier(
    "scheduled",
    "src/secure_django/guard/*",
    "src/secure_django/controls/*",
    f"{RAW}/config/*",
)

SETTINGS = "config/settings.py"
STRICTER: list[Edit] = [
    (
        SETTINGS,
        "CSRF_COOKIE_SECURE = not DEBUG\n",
        (
            "CSRF_COOKIE_SECURE = not DEBUG\n"
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
    (
        SETTINGS,
        '"5/5m/key",',
        '"3/15m/key",\n    "reset_password": "10/m/ip",',
    ),
    (SETTINGS, '"100/m/ip"', '"10/m/ip"'),
    (SETTINGS, '"31536000"', '"63072000"'),
    (
        SETTINGS,
        '"UPLOADS_PER_HOUR", number(1), "30"',
        '"UPLOADS_PER_HOUR", number(1), "5"',
    ),
    (
        SETTINGS,
        "env.stop_on_problems()",
        (
            "UPLOAD_MAX_BYTES = 5 * 1024**2\n"
            "UPLOAD_MAX_PIXELS = 20_000_000\n"
            "REJECTED_RETENTION_DAYS = 7\n"
            "SECURE_HSTS_PRELOAD = True\n"
            "env.stop_on_problems()"
        ),
    ),
    (
        SETTINGS,
        '    "connect-src": [CSP.SELF],',
        '    "connect-src": [CSP.SELF],\n    "frame-src": [CSP.NONE],',
    ),
]


def test_stricter_settings_leave_the_tests_green(
    project: Project,
) -> None:
    folder = project(ALL_ON)
    change(folder, STRICTER)
    run_tests(folder)
