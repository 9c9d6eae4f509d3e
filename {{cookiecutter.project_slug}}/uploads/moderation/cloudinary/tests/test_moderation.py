"""From an upload to the gallery by way of Cloudinary: the real SDK, real HTTP, a stub of the service."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from conftest import HTTPSClient, Login, MakePhoto
from uploads.models import Photo, Status
from uploads.moderation.cloudinary import client as sdk
from uploads.moderation.cloudinary.tests.stub import Cloud, Handler
from users.models import User

Work = Callable[[], None]


def said(content: str, malware: str) -> list[dict[str, str]]:
    """Returns both kinds' results as Cloudinary lists them."""
    return [{"kind": "aws_rek", "status": content}, {"kind": "perception_point", "status": malware}]


REJECTED = said("rejected", "aborted")


def status(photo: Photo) -> str:
    photo.refresh_from_db()
    return photo.status


def details(photo: Photo) -> str:
    return " ".join(photo.verdicts.values_list("detail", flat=True))


@pytest.mark.control("moderation")
def test_photo_is_published_after_every_kind_has_approved(
    cloud: Cloud, client: HTTPSClient, make_photo: MakePhoto, work: Work
) -> None:
    # The article's check of the first kind alone would publish here, before the malware scan has answered.
    cloud.moderation = said("approved", "pending")
    photo = make_photo()
    work()
    assert status(photo) == Status.PENDING
    work()
    assert status(photo) == Status.PENDING
    assert client.get(photo.get_absolute_url()).status_code == 404
    assert photo.display_url.startswith("/photos/")
    cloud.decide("approved", "approved")
    Photo.objects.update(due_at=timezone.now())
    call_command("moderate_photos")
    assert status(photo) == Status.APPROVED
    assert "https://res.cloudinary.com/cloud/image/authenticated/s--" in client.get("/").content.decode()
    assert len(cloud.uploads) == 1


@pytest.mark.control("moderation")
@pytest.mark.parametrize(
    ("moderation", "expected"),
    [
        (REJECTED, Status.REJECTED),
        (said("aborted", "approved"), Status.REVIEW),
        (said("splendid", "approved"), Status.REVIEW),
        (said("approved", "approved")[:1], Status.REVIEW),
        (None, Status.REVIEW),
        ("approved", Status.REVIEW),
    ],
)
def test_what_is_not_clear_goes_to_a_person(
    cloud: Cloud, make_photo: MakePhoto, work: Work, moderation: Any, expected: str
) -> None:
    cloud.moderation = moderation
    photo = make_photo()
    work()
    assert status(photo) == expected
    work()
    assert status(photo) == expected


@pytest.mark.control("moderation")
def test_upload_says_everything_that_keeps_the_photo_hidden(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    work()
    (sent,) = cloud.uploads
    assert sent["public_id"] == str(photo.pk)
    assert sent["type"] == "authenticated"
    assert sent["overwrite"] == "0"
    assert sent["allowed_formats"] == "jpg"
    assert sent["moderation"] == "aws_rek|perception_point"
    assert sent["notification_url"].endswith("/webhooks/cloudinary/")
    assert sent["file"] == ("upload.jpg", default_storage.open(photo.path("display")).read())


def answer_late(handler: Handler) -> None:
    time.sleep(1.5)
    handler.reply(401, {})


@pytest.mark.control("V16.5.3")
@pytest.mark.parametrize(
    "fault",
    [
        lambda handler: handler.reply(429, {"error": {"message": "Slow down"}}, Retry_After="60"),
        lambda handler: handler.reply(307, {}, Location=f"{handler.server.url}{handler.path}"),
        lambda handler: handler.connection.close(),
        answer_late,
    ],
)
def test_photos_outlast_an_outage(
    cloud: Cloud, make_photo: MakePhoto, work: Work, monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    monkeypatch.setitem(sdk.OPTIONS, "timeout", sdk.OPTIONS["timeout"] / 20)
    photos = [make_photo(), make_photo()]
    cloud.faults = [fault]
    work()
    assert len(cloud.calls) == 1  # the second photo needs no try of its own
    assert {status(photo) for photo in photos} == {Status.PENDING}
    assert all("tried again" in details(photo) or "limit" in details(photo) for photo in photos)
    work()
    cloud.decide("approved", "approved")
    work()
    assert {status(photo) for photo in photos} == {Status.APPROVED}
    assert len(cloud.uploads) == 2


@pytest.mark.control("V16.5.3")
def test_upload_of_unknown_outcome_is_asked_for_not_repeated(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()

    def store_and_hang_up(handler: Handler) -> None:
        handler.server.assets[str(photo.pk)] = {"public_id": str(photo.pk), "version": 1, "moderation": REJECTED}
        handler.connection.close()

    cloud.faults = [store_and_hang_up]
    work()
    work()
    assert status(photo) == Status.REJECTED
    assert [call for call in cloud.calls if "upload" in call] == ["POST image/upload"]


@pytest.mark.control("moderation")
def test_reviewer_gets_what_has_waited_too_long(
    cloud: Cloud, settings: Settings, make_photo: MakePhoto, work: Work
) -> None:
    photo = make_photo(created_at=timezone.now() - timedelta(hours=settings.MODERATION_STUCK_HOURS, minutes=1))
    work()
    assert status(photo) == Status.REVIEW
    assert "No verdict within" in details(photo)
    cloud.decide("approved", "approved")
    work()
    assert status(photo) == Status.APPROVED


@pytest.mark.control("moderation")
def test_rejected_photo_is_shown_to_reviewers_alone_who_can_overturn_it(
    cloud: Cloud, login: Login, user: User, reviewer: User, make_photo: MakePhoto, work: Work
) -> None:
    cloud.moderation = REJECTED
    photo = make_photo()
    work()
    page, thumbnail = photo.get_absolute_url(), f"{photo.get_absolute_url()}thumbnail/"
    client = login(user)
    assert "Not accepted: content." in client.get("/photos/mine/").content.decode()
    assert client.get(page).status_code == client.get(thumbnail).status_code == 404
    assert login(reviewer).get(thumbnail).status_code == 200
    photo.record({"manual": "approved"}, by=reviewer)
    work()
    assert status(photo) == Status.APPROVED
    assert cloud.assets[str(photo.pk)]["moderation"][-1] == {"kind": "manual", "status": "approved"}
    assert f"/v{cloud.assets[str(photo.pk)]['version']}/{photo.pk}.jpg" in photo.display_url


@pytest.mark.control("moderation")
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("goodbye", ["owner deletes", "reviewer rejects", "retention ends"])
def test_asset_goes_with_the_photo_even_after_an_outage(
    cloud: Cloud, settings: Settings, reviewer: User, make_photo: MakePhoto, work: Work, goodbye: str
) -> None:
    cloud.moderation = REJECTED
    photo = make_photo()
    work()
    settings.REJECTED_RETENTION_DAYS = 0
    if goodbye == "owner deletes":
        photo.discard()
    elif goodbye == "reviewer rejects":
        photo.record({"manual": "rejected"}, by=reviewer)
    else:
        call_command("clean_photos")
    cloud.faults = [lambda handler: handler.reply(503, "")]
    work()
    assert cloud.assets
    work()
    assert not cloud.assets
    assert not default_storage.exists(photo.path("display"))
    photo.refresh_from_db()
    assert photo.due_at is None
