"""The fixture of the tests that request every page as every person."""

import pytest
from pytest_django import Settings

from secure_django.guard.marks import World
from secure_django.guard.sending import Sender, record_logs, record_names, record_opened
from secure_django.testing import MakeUser
from secure_django.testing.photos import PIXELS
from secure_django.user import User


@pytest.fixture
def sender(
    reviewer: User,
    make_user: MakeUser,
    settings: Settings,
    run_on_commit: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Sender:
    """Return the object that sends requests as any user."""
    # Not in the database: the readiness check could not read a table that this
    # transaction has changed.
    settings.CACHES = {
        "default": {"BACKEND": "secure_django.guard.sending.RecordingCache"}
    }
    # Decoding has tests of its own, and takes long.
    monkeypatch.setattr(
        "secure_django.photos.forms.validate_and_reencode", lambda *_: PIXELS
    )
    staff = make_user("staff@example.com", is_staff=True)
    sender = Sender(World(staff=staff, reviewer=reviewer))
    record_logs(sender, monkeypatch)
    record_names(sender, monkeypatch)
    record_opened(sender, monkeypatch)
    return sender
