"""Fixtures for every app's tests."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django import Settings

from uploads.images import sanitize
from uploads.models import Photo
from users.models import User

pytest_plugins = ["config.tests.evidence"]

type MakeUser = Callable[..., User]
type MakePhoto = Callable[..., Photo]
type Login = Callable[[User], HTTPSClient]
type Picture = Callable[..., bytes]
type Upload = Callable[..., Any]

PASSWORD = "correct horse battery staple"


class HTTPSClient(Client):
    """Django's test client, come by HTTPS as everybody does."""

    def force_login(self, user: Any, backend: str | None = None) -> None:
        super().force_login(user, backend or settings.AUTHENTICATION_BACKENDS[-1])

        # % if cookiecutter.auth_app
        from accounts.tests.people import prove_second_factor

        if user.is_staff:
            prove_second_factor(self, user)

        # % endif

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        return super().generic(*args, **kwargs | {"secure": True})


@pytest.fixture
def client() -> HTTPSClient:
    return HTTPSClient()


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture(scope="session")
def password() -> str:
    """Returns PASSWORD as it is kept: hashing is slow on purpose."""
    return make_password(PASSWORD)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Does what waits for the end of a transaction, which a test never commits."""
    monkeypatch.setattr("django.db.transaction.on_commit", lambda function, **kwargs: function())


@pytest.fixture
def make_user(db: None, password: str) -> MakeUser:
    return lambda email="owner@example.com", **fields: User.objects.create(email=email, password=password, **fields)


@pytest.fixture
def user(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def stranger(make_user: MakeUser) -> User:
    return make_user("stranger@example.com")


@pytest.fixture
def reviewer(make_user: MakeUser) -> User:
    person = make_user("reviewer@example.com", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=["view_photo", "review_photo"]))
    return person


@pytest.fixture
def login(client: HTTPSClient) -> Login:
    """Returns the client, logged in as somebody."""

    def as_user(user: User) -> HTTPSClient:
        client.force_login(user)
        return client

    return as_user


@pytest.fixture
def picture() -> Picture:
    """Returns a small picture's bytes; keywords go to Pillow's save()."""

    def make(format: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any) -> bytes:
        buffer = BytesIO()
        Image.new(mode, size, "teal" if mode.startswith("RGB") else 0).save(buffer, format, **options)
        return buffer.getvalue()

    return make


@pytest.fixture
def upload(picture: Picture) -> Upload:
    """Sends a file through the real form and returns the answer."""

    def send(client: Client, content: bytes | None = None, name: str = "holiday.jpg", **data: str) -> Any:
        file = SimpleUploadedFile(name, picture() if content is None else content)
        return client.post("/photos/upload/", {"title": "Teal", **data, "image": file})

    return send


@pytest.fixture
def make_photo(user: User, picture: Picture) -> MakePhoto:
    """Returns a stored photo of `user`; keywords set fields afterwards, past every rule."""

    def make(owner: User = user, **fields: Any) -> Photo:
        content = picture()
        photo = Photo.objects.accept(owner, "Teal", "holiday.jpg", sanitize(BytesIO(content), "a.jpg", len(content)))
        Photo.objects.filter(pk=photo.pk).update(**fields)
        photo.refresh_from_db()
        return photo

    return make
