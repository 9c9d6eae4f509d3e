from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from secure_django.testing import MakeImage, Upload

ADD = "/things/add/"


@pytest.fixture
def upload(make_image: MakeImage, settings: Settings) -> Upload:
    """Send a file through the form of an app, and return the response."""
    settings.ROOT_URLCONF = "example.urls"

    def send(
        client: Client,
        content: bytes | None = None,
        name: str = "holiday.jpg",
        **data: Any,
    ) -> Any:
        file = SimpleUploadedFile(name, make_image() if content is None else content)
        url = data.pop("url", ADD)
        return client.post(url, {"title": "Teal", **data, "image": file})

    return send
