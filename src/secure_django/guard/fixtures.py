"""The fixture of the tests that request every page as every person."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from secure_django.guard.noticing import handled_exceptions
from secure_django.guard.sending import Sender, record_logs, record_names, record_opened
from secure_django.guard.tables import OWN_APPS, functions
from secure_django.guard.world import World


@pytest.fixture
def sender(
    db: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sender]:
    """Yield the object that sends requests as any user."""
    settings.MEDIA_ROOT = tmp_path / "media"
    # Not in the database: the readiness check could not read a table that this
    # transaction has changed.
    settings.CACHES = {
        "default": {"BACKEND": "secure_django.guard.sending.RecordingCache"}
    }
    # A test's transaction is never committed.
    monkeypatch.setattr(
        "django.db.transaction.on_commit", lambda function, **kwargs: function()
    )
    for prepare in functions("prepare"):
        prepare(monkeypatch)
    sender = Sender(World())
    record_logs(sender, monkeypatch)
    record_names(sender, monkeypatch)
    record_opened(sender, monkeypatch)
    with handled_exceptions(app.path for app in OWN_APPS):
        yield sender
