"""Notifications: what a stranger can do with the address, which is nothing."""

import hashlib
import json
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from conftest import HTTPSClient, MakePhoto
from uploads.models import Photo, Status
from uploads.moderation.cloudinary.tests.stub import SECRET, Cloud

pytestmark = pytest.mark.django_db
URL = "/webhooks/cloudinary/"


@pytest.fixture
def photo(cloud: Cloud, make_photo: MakePhoto) -> Photo:
    return make_photo(due_at=None)


def notify(
    body: object, *, secret: str = SECRET, digest: str = "sha1", age: int = 0, spoilt: bool = False, **headers: str
) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    timestamp = str(int(timezone.now().timestamp()) - age)
    signature = hashlib.new(digest, content + f"{timestamp}{secret}".encode()).hexdigest()
    if spoilt:
        signature = signature[:-1] + ("1" if signature[-1] == "0" else "0")
    sent = {"x-cld-timestamp": timestamp, "x-cld-signature": signature} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    client = HTTPSClient(enforce_csrf_checks=True)
    return client.post(URL, content, content_type="application/json", headers=sent)


def approval(photo: Photo) -> dict[str, str]:
    return {"notification_type": "moderation", "public_id": str(photo.pk), "moderation_status": "approved"}


@pytest.mark.control("moderation")
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_notification_makes_the_photo_due_and_decides_nothing(photo: Photo, digest: str) -> None:
    for _ in range(3):
        answer = notify(approval(photo), digest=digest)
        assert (answer.status_code, answer.content) == (200, b"")
    photo.refresh_from_db()
    assert photo.status == Status.PENDING
    assert photo.due_at is not None


@pytest.mark.control("moderation")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"secret": "guess"}, 401),
        ({"spoilt": True}, 401),
        ({"age": 3600}, 401),
        ({"age": -3600}, 401),
        ({"x_cld_signature": ""}, 401),
        ({"x_cld_signature": "é" * 40}, 401),
        ({"x_cld_timestamp": "١" * 10}, 401),
        ({"content_length": "50000000"}, 413),
        ({"content_length": "many"}, 400),
    ],
)
def test_forged_notification_is_refused(photo: Photo, changes: Any, expected: int) -> None:
    assert notify(approval(photo), **changes).status_code == expected
    photo.refresh_from_db()
    assert photo.due_at is None


@pytest.mark.control("moderation")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000])
def test_malformed_notification_is_refused(cloud: Cloud, body: bytes) -> None:
    assert notify(body).status_code == 400


@pytest.mark.parametrize("public_id", ["6b0b6f0e-5f6e-4d3b-9b9a-0d0a3a1f2b3c", "sample", "", None, 7, ["x"]])
def test_unknown_asset_is_answered_like_a_known_one(cloud: Cloud, public_id: object) -> None:
    answer = notify({"notification_type": "moderation", "public_id": public_id})
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.control("moderation")
def test_both_secrets_count_during_a_rotation(photo: Photo, settings: Settings) -> None:
    assert notify(approval(photo), secret="old").status_code == 401
    settings.CLOUDINARY_API_SECRET_FALLBACKS = ["old"]
    assert notify(approval(photo), secret="old").status_code == 200
    assert notify(approval(photo)).status_code == 200


def test_without_cloudinary_nothing_is_believed(settings: Settings) -> None:
    settings.CLOUDINARY, settings.CLOUDINARY_API_SECRET_FALLBACKS = {}, [""]
    assert notify({}, secret="").status_code == 401


@pytest.mark.control("V3.5.1")
def test_only_posts_come_in(client: HTTPSClient) -> None:
    assert client.get(URL).status_code == 405
