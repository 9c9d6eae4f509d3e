"""The settings of a project: their lock, and what its checks say of broken ones."""

import re
import sys

import pytest

from tests.support.baking import (
    ALL_ON,
    ON_PLATFORM,
    Answers,
    Project,
    every,
    name,
    production,
    run,
)
from tests.support.settings_lock import FEATURES, NAME, compute

SETTINGS = every({feature: [True, False] for feature in FEATURES})


@pytest.mark.parametrize(
    "answers", [*(ALL_ON | features for features in SETTINGS), ON_PLATFORM], ids=name
)
def test_new_project_has_its_settings_in_the_lock(
    answers: Answers, project: Project
) -> None:
    folder = project(answers)
    lock = (folder / NAME).read_text(encoding="utf-8")
    assert lock == compute(folder), "run python -m tests.support.settings_lock"


def test_project_for_a_platform_needs_a_place_where_photos_last(
    project: Project,
) -> None:
    site = project(ON_PLATFORM)
    check = (sys.executable, "manage.py", "check", "--deploy")
    environment = production(site)
    run(site, *check, **environment)
    del environment["MEDIA_ROOT_IS_PERSISTENT"]
    with pytest.raises(
        AssertionError, match=r"STORAGE_URL: .+ every photo at the next"
    ):
        run(site, *check, **environment)
    bucket = "s3://key:secret@s3.example.com/photos?region=eu"
    run(site, *check, **environment, STORAGE_URL=bucket)


# Lines at the end of config/settings.py, and an error that names each.
BROKEN = {
    'MIDDLEWARE.remove("django.middleware.csrf.CsrfViewMiddleware")': "E116",
    'MIDDLEWARE.remove("django.contrib.auth.middleware.LoginRequiredMiddleware")': (
        "E113"
    ),
    'MIDDLEWARE.remove("secure_django.web.middleware.RequestValidationMiddleware")': (
        "E107"
    ),
    'MIDDLEWARE.remove("secure_django.web.middleware.SessionTimeoutMiddleware")': (
        "E112"
    ),
    'MIDDLEWARE.remove("secure_django.web.middleware.ResponseHeadersMiddleware")': (
        "E106"
    ),
    "SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False": "E541",
    'CSP_POLICY["script-src"].append("\'unsafe-inline\'")': "E602",
    "SECURE_SSL_REDIRECT = False": "E545",
    "AUTH_PASSWORD_VALIDATORS = []": "E401",
    "ACCOUNT_RATE_LIMITS = False": "E441",
    'PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]': "E408",
    "SESSION_COOKIE_AGE = 30 * 86400": "E501",
}


@pytest.mark.tier("whole")
def test_broken_setting_stops_the_checks_of_a_project(project: Project) -> None:
    site = project(ALL_ON)
    settings = site / "config" / "settings.py"
    text = settings.read_text(encoding="utf-8")
    environment = production(site)
    for line, expected in BROKEN.items():
        settings.write_text(f"{text}{line}\n", encoding="utf-8")
        with pytest.raises(AssertionError, match=rf"secure_django\.{expected}\b"):
            run(site, sys.executable, "manage.py", "check", "--deploy", **environment)
        lock = (sys.executable, "-m", "secure_django.conf.lock", "--check")
        with pytest.raises(AssertionError, match=re.escape("settings.lock")):
            run(site, *lock)
