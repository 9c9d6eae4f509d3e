"""A project adopts photos, or jobs and mail, with a user and a log-in of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from pytest_django import Settings

from secure_django.conf import defaults as site_defaults
from secure_django.mail.invitations import is_within_limits
from secure_django.photos import defaults
from secure_django.photos.checks import check_settings
from users.models import User

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("command", "changes"),
    [("use_mail", {"WITHOUT_PHOTOS": "yes"}), ("use_photos", {})],
)
def test_room_works_in_a_project_with_users_of_its_own(
    command: str, changes: dict[str, str], tmp_path: Path
) -> None:
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.adoption.settings",
        "FOLDER": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", command],
        cwd=ROOT,
        env=os.environ | variables | changes,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr


def test_defaults_of_photos_are_those_of_a_generated_project() -> None:
    names = [name for name in vars(defaults) if name.isupper()]
    own = {"UPLOADS_PER_HOUR"}  # it stands in config/settings.py
    assert len(names) > 8
    for name in set(names) - own:
        assert getattr(defaults, name) == getattr(site_defaults, name), name


def test_missing_setting_of_photos_is_named(settings: Settings) -> None:
    assert check_settings() == []
    del settings.UPLOADS_PER_HOUR
    del settings.SITE_NAME
    (error,) = check_settings()
    assert error.id == "secure_django.E203"
    assert error.msg == "Photos need settings: SITE_NAME, UPLOADS_PER_HOUR."


@pytest.mark.parametrize("limits", [None, False, {}, {"invitation": "2/d/key"}])
def test_no_invitation_is_sent_without_limits(
    limits: object, settings: Settings, user: User
) -> None:
    settings.ACCOUNT_RATE_LIMITS = limits
    request = RequestFactory().post("/")
    request.user = user
    with pytest.raises(ImproperlyConfigured, match="invitation_by_user"):
        is_within_limits(request, "friend@example.com")
