"""Notifications schedule a check of a photo, and forged ones do nothing."""

import logging
from typing import Any

import pytest
from pytest_django import Settings

from secure_django.photos.cloudinary.models import Asset
from secure_django.photos.models import Photo, Status
from secure_django.testing import HTTPSClient, MakePhoto
from tests.photos.cloudinary.stub import WEBHOOK, Cloud, Notify, approval

pytestmark = pytest.mark.django_db


@pytest.fixture
def photo(cloud: Cloud, make_photo: MakePhoto) -> Photo:
    photo = make_photo()
    Asset.objects.update(due_at=None)
    return photo


@pytest.mark.control("moderation")
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_notification_only_schedules_a_check(
    photo: Photo, notify: Notify, digest: str
) -> None:
    for _ in range(3):
        # Cloudinary repeats it for nine minutes.
        response = notify(approval(photo.pk), digest=digest, age=9 * 60)
        assert (response.status_code, response.content) == (200, b"")
    photo.refresh_from_db()
    assert photo.status == Status.PENDING
    assert Asset.objects.get().due_at is not None


@pytest.mark.control("moderation")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"secret": "guess"}, 401),
        ({"wrong_signature": True}, 401),
        ({"age": 15 * 60 + 5}, 401),
        ({"age": -15 * 60 - 5}, 401),
        ({"x_cld_signature": ""}, 401),
        ({"x_cld_signature": "é" * 40}, 401),
        ({"x_cld_timestamp": "١" * 10}, 401),
        ({"content_length": "5000000"}, 413),
        ({"content_length": "many"}, 400),
    ],
)
def test_forged_notification_is_refused(
    photo: Photo,
    notify: Notify,
    changes: Any,
    expected: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    assert notify(approval(photo.pk), **changes).status_code == expected
    assert ("authn_webhook_fail" in caplog.messages) is (expected == 401)
    assert Asset.objects.get().due_at is None


@pytest.mark.control("moderation")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000])
def test_malformed_notification_is_refused(
    cloud: Cloud, notify: Notify, body: bytes
) -> None:
    assert notify(body).status_code == 400


@pytest.mark.parametrize(
    "public_id", ["6b0b6f0e-5f6e-4d3b-9b9a-0d0a3a1f2b3c", "sample", "", None, 7, ["x"]]
)
def test_unknown_asset_gets_the_same_response(
    cloud: Cloud, notify: Notify, public_id: object
) -> None:
    response = notify({"notification_type": "moderation", "public_id": public_id})
    assert (response.status_code, response.content) == (200, b"")


def test_notification_schedules_one_photo_with_files(
    photo: Photo, make_photo: MakePhoto, notify: Notify
) -> None:
    photo_without_files = make_photo(has_files=False)
    make_photo()
    Asset.objects.update(due_at=None)
    for asked in (photo, photo_without_files):
        notify(approval(asked.pk))
    asset = Asset.objects.exclude(due_at=None).get()
    assert asset.photo == photo


@pytest.mark.control("moderation")
def test_old_secret_is_valid_during_a_rotation(
    photo: Photo, notify: Notify, settings: Settings
) -> None:
    assert notify(approval(photo.pk), secret="old").status_code == 401
    settings.CLOUDINARY_API_SECRET_FALLBACKS = ["old"]
    assert notify(approval(photo.pk), secret="old").status_code == 200
    assert notify(approval(photo.pk)).status_code == 200


def test_webhook_without_cloudinary_url_refuses_everything(
    notify: Notify, settings: Settings
) -> None:
    settings.CLOUDINARY = {}
    settings.CLOUDINARY_API_SECRET_FALLBACKS = [""]
    assert notify({}, secret="").status_code == 401


@pytest.mark.control("V3.5.1")
def test_webhook_accepts_post_only(client: HTTPSClient) -> None:
    assert client.get(WEBHOOK).status_code == 405
