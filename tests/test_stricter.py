"""A team's stricter settings leave the emitted tests green: they ask for at least what the template sets."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ALL_ON, Answers, Project, name, paths, run
from tests.support.releases import Edit, change

SETTINGS = "config/settings.py"
STRICTER: list[Edit] = [
    (
        SETTINGS,
        "CSRF_COOKIE_HTTPONLY = True\n",
        'CSRF_COOKIE_HTTPONLY = True\nSESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"\n',
    ),
    (SETTINGS, "SESSION_COOKIE_AGE = 30 * 60", "SESSION_COOKIE_AGE = 15 * 60"),
    (SETTINGS, "SESSION_ABSOLUTE_AGE = timedelta(hours=8)", "SESSION_ABSOLUTE_AGE = timedelta(hours=4)"),
    (SETTINGS, '"min_length": 12', '"min_length": 16'),
    (SETTINGS, "PASSWORD_RESET_TIMEOUT = 3600", "PASSWORD_RESET_TIMEOUT = 900"),
    (SETTINGS, '"10/m/ip,5/5m/key"', '"5/m/ip,3/15m/key"'),
    (SETTINGS, '"20/m/ip,5/h/key"', '"10/m/ip,3/h/key"'),
    (SETTINGS, '"31536000"', '"63072000"'),
    (SETTINGS, '"SECURE_HSTS_PRELOAD", boolean, "off"', '"SECURE_HSTS_PRELOAD", boolean, "on"'),
    (SETTINGS, '"UPLOADS_PER_HOUR", number(1), "30"', '"UPLOADS_PER_HOUR", number(1), "5"'),
    (SETTINGS, '"UPLOAD_MAX_BYTES", number(1), "10485760"', '"UPLOAD_MAX_BYTES", number(1), "5242880"'),
    (SETTINGS, '"UPLOAD_MAX_PIXELS", number(1), "50000000"', '"UPLOAD_MAX_PIXELS", number(1), "20000000"'),
    (
        SETTINGS,
        '"REJECTED_RETENTION_DAYS", number(1, 36_500), "30"',
        '"REJECTED_RETENTION_DAYS", number(1, 36_500), "7"',
    ),
    (SETTINGS, '"img-src": [CSP.SELF],', '"img-src": [CSP.SELF],\n    "frame-src": [CSP.NONE],'),
]


def run_tests(folder: Path) -> None:
    """Run the project's tests after the edits."""
    change(folder, STRICTER)
    run(folder, sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider")


@pytest.mark.slow
@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_stricter_settings_leave_the_tests_green(answers: Answers, project: Project) -> None:
    run_tests(project(answers))


@pytest.mark.slow
def test_removed_feature_leaves_the_tests_green(project: Project, pristine: Project) -> None:
    folder = project(ALL_ON)
    shutil.rmtree(folder / "accounts")
    # The lines that name the folder are those that a project without it never had.
    without = pristine(ALL_ON | {"auth_app": False})
    for path in paths(without) - {".env"}:
        shutil.copy(without / path, folder / path)
    run_tests(folder)
