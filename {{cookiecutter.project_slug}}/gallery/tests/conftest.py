from typing import Any, Protocol

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from secure_django.testing import MakeImage, MakePhoto, Upload

from gallery.models import Picture
from users.models import User

INDEX, MINE = reverse("gallery:index"), reverse("gallery:mine")
PURPOSE = Picture._meta.get_field("photo").purpose


class MakePicture(Protocol):
    def __call__(
        self, owner: User = ..., title: str = ..., **fields: Any
    ) -> Picture: ...


@pytest.fixture
def make_picture(user: User, make_photo: MakePhoto) -> MakePicture:
    """Create a picture; more keywords set fields of its photo, unvalidated."""

    def make(owner: User = user, title: str = "Teal", **fields: Any) -> Picture:
        photo = make_photo(owner=owner, purpose=PURPOSE, title=title, **fields)
        return Picture.objects.create(owner=owner, title=title, photo=photo)

    return make


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
            reverse("gallery:upload"), {"title": "Teal", **data, "photo": file}
        )

    return send
