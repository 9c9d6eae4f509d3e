from functools import partial
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from secure_django.testing import MakeImage, MakePhoto, Upload

from gallery.apps import GALLERY

INDEX, MINE = reverse("gallery:index"), reverse("gallery:mine")


@pytest.fixture
def make_photo(make_photo: MakePhoto) -> MakePhoto:
    return partial(make_photo, purpose=GALLERY)


@pytest.fixture
def upload(make_image: MakeImage) -> Upload:
    """Send a file through the upload form, and return the response."""

    def send(
        client: Client,
        content: bytes | None = None,
        name: str = "holiday.jpg",
        **data: str,
    ) -> Any:
        file = SimpleUploadedFile(name, make_image() if content is None else content)
        return client.post(
            reverse("gallery:upload"), {"title": "Teal", **data, "image": file}
        )

    return send
