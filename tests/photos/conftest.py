from functools import cache
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from secure_django.photos.images import ReencodedImage, validate_and_reencode
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


@pytest.fixture
def decode_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode equal files once a run, since a decoder process takes long to start.

    For tests of what happens to a photo, not of the decoder.
    """
    monkeypatch.setattr("secure_django.photos.forms.validate_and_reencode", decode)


def decode(content: bytes, used: list[float] | None = None) -> ReencodedImage:
    """Return the image, and append the seconds that it took the first time."""
    image, seconds = first_decoding(content)
    if used is not None:
        used += seconds
    return image


@cache
def first_decoding(content: bytes) -> tuple[ReencodedImage, list[float]]:
    seconds: list[float] = []
    return validate_and_reencode(content, seconds), seconds
