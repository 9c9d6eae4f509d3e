"""Fixtures for the tests of all apps."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from PIL import Image
from pytest_django import Settings

from secure_django.guard.clock import stop_clocks
from secure_django.photos.images import ReencodedImage, validate_and_reencode
from secure_django.photos.models import Photo
from secure_django.photos.purposes import Purpose
from secure_django.testing import (
    PASSWORD,
    HTTPSClient,
    Login,
    MakeImage,
    MakePhoto,
    MakeUser,
    Travel,
)
from secure_django.testing.photos import PUBLIC, create_photo
from secure_django.user import User


@pytest.fixture
def client() -> HTTPSClient:
    return HTTPSClient()


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture(scope="session", autouse=True)
def no_breach_lookup() -> None:
    """Ask no other site about passwords."""
    if apps.is_installed("secure_django.accounts"):
        from secure_django.accounts import password_validation

        password_validation.HOST = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def mailers(settings: Settings) -> None:
    """Send at once, into `mail.outbox`. The fixture `outbox` lets emails wait."""
    settings.MAILERS = {
        "default": {"BACKEND": "secure_django.testing.CheckedEmailBackend"},
        "server": {"BACKEND": "secure_django.testing.ServerEmailBackend"},
    }


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Return the hash of PASSWORD. Hashing is slow, so all tests share it."""
    return make_password(PASSWORD)


@pytest.fixture
def run_on_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run on_commit callbacks at once: a test's transaction is never committed."""
    monkeypatch.setattr(
        "django.db.transaction.on_commit", lambda function, **kwargs: function()
    )


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Stop the clocks of sessions, rate limits, emails and links; move them forward."""
    return stop_clocks(monkeypatch)


@pytest.fixture
def outbox(settings: Settings, mailers: None, db: None) -> None:
    """Let emails wait in the database, as in production.

    `mail.outbox` has those that the worker has sent.
    """
    settings.MAILERS = settings.MAILERS | {
        "default": {"BACKEND": "secure_django.mail.outbox.OutboxBackend"}
    }


@pytest.fixture
def make_user(db: None, password_hash: str) -> MakeUser:
    return lambda email="owner@example.com", **fields: User.objects.create(
        email=email, password=password_hash, **fields
    )


@pytest.fixture
def user(make_user: MakeUser) -> User:
    return make_user()


@pytest.fixture
def other_user(make_user: MakeUser) -> User:
    return make_user("other@example.com")


@pytest.fixture
def reviewer(make_user: MakeUser) -> User:
    person = make_user("reviewer@example.com", is_staff=True)
    codenames = ["view_photo", "review_photo"]
    permissions = Permission.objects.filter(
        content_type__app_label="secure_django_photos", codename__in=codenames
    )
    person.user_permissions.set(permissions)
    return person


@pytest.fixture
def login(client: HTTPSClient) -> Login:
    """Log the client in as a user, and return the client."""

    def as_user(user: User) -> HTTPSClient:
        client.force_login(user)
        return client

    return as_user


@pytest.fixture
def make_image() -> MakeImage:
    """Return the bytes of a small image. Keywords go to Pillow's save()."""

    def make(
        format: str = "JPEG",
        size: tuple[int, int] = (64, 48),
        mode: str = "RGB",
        **options: Any,
    ) -> bytes:
        buffer = BytesIO()
        Image.new(mode, size, "teal" if mode.startswith("RGB") else 0).save(
            buffer, format, **options
        )
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def reencoded_image() -> ReencodedImage:
    """Return an image for photos.

    All tests share it, since a decoder process takes long to start.
    """
    Image.new("RGB", (64, 48), "teal").save(buffer := BytesIO(), "JPEG")
    return validate_and_reencode(buffer.getvalue())


@pytest.fixture
def make_photo(user: User, reencoded_image: ReencodedImage) -> MakePhoto:
    """Create a photo of `user`; keywords set fields afterwards, unvalidated."""

    def make(owner: User = user, purpose: Purpose = PUBLIC, **fields: Any) -> Photo:
        photo = create_photo(owner, purpose, reencoded_image)
        Photo.objects.filter(pk=photo.pk).update(**fields)
        photo.refresh_from_db()
        return photo

    return make
