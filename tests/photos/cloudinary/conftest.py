import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from secure_django.photos.cloudinary import client, environment, outbox
from secure_django.photos.cloudinary.models import Asset
from secure_django.testing import HTTPSClient
from tests.photos.cloudinary.stub import (
    SECRET,
    WEBHOOK,
    Cloud,
    Notify,
    RunWorker,
    signed_headers,
)


@pytest.fixture
def cloud(settings: Settings) -> Iterator[Cloud]:
    """Run the stub, and send all calls there."""
    with Cloud() as server:
        settings.CLOUDINARY = environment.url(server.cloudinary_url)
        settings.PHOTO_MODERATION_BACKEND = (
            "secure_django.photos.cloudinary.backend.CloudinaryBackend"
        )
        client.configure()
        yield server


@pytest.fixture
def run_worker() -> RunWorker:
    """Return a function that runs one pass of the worker, as if all photos were due."""

    def one_pass() -> None:
        Asset.objects.exclude(due_at=None).update(due_at="2000-01-01T00:00Z")
        outbox.process_due_photos()

    return one_pass


@pytest.fixture
def notify() -> Notify:
    """Return a function that posts a notification to the webhook.

    Keywords change how it is signed, or replace headers.
    """

    def post(
        body: object,
        *,
        secret: str = SECRET,
        digest: str = "sha1",
        age: int = 0,
        wrong_signature: bool = False,
        **headers: str,
    ) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = signed_headers(content, secret=secret, digest=digest, age=age)
        if wrong_signature:
            last = sent["X-Cld-Signature"][-1]
            other = "1" if last == "0" else "0"
            sent["X-Cld-Signature"] = sent["X-Cld-Signature"][:-1] + other
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        client = HTTPSClient(enforce_csrf_checks=True)
        return client.post(
            WEBHOOK, content, content_type="application/json", headers=sent
        )

    return post
