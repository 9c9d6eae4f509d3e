from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from pytest_django import Settings

from uploads import outbox
from uploads.models import Photo
from uploads.moderation.cloudinary import client, environment
from uploads.moderation.cloudinary.tests.stub import CLOUD, KEY, SECRET, Cloud


@pytest.fixture
def cloud(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Returns a running stub, which the real SDK talks to over HTTP."""
    with Cloud() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings.CLOUDINARY = environment.url(f"cloudinary://{KEY}:{SECRET}@{CLOUD}?upload_prefix={server.url}")
        settings.PHOTO_MODERATOR = "uploads.moderation.cloudinary.moderator.CloudinaryModerator"
        monkeypatch.setattr(client, "transport", client.configure())
        yield server
        server.shutdown()


@pytest.fixture
def work() -> Callable[[], None]:
    """Lets the worker make one pass, whatever the time: what waits for a later one is due now."""

    def one_pass() -> None:
        Photo.objects.exclude(due_at=None).update(due_at="2000-01-01T00:00Z")
        outbox.work()

    return one_pass
