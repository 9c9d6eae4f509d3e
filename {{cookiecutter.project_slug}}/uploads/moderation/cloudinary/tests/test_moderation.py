"""From an upload to the gallery by way of Cloudinary: the real SDK, real HTTP, a stub of the service."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from conftest import HTTPSClient
from uploads import outbox
from uploads.models import Photo, Status
from uploads.moderation.cloudinary import client as sdk
from uploads.moderation.cloudinary.tests.stub import Cloud, Handler
from users.models import User

Login = Callable[[User], HTTPSClient]
MakePhoto = Callable[..., Photo]
Work = Callable[[], None]
REJECTED = [{"kind": "aws_rek", "status": "rejected"}, {"kind": "perception_point", "status": "aborted"}]


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
    cloud.moderation = [{"kind": "aws_rek", "status": "approved"}, {"kind": "perception_point", "status": "pending"}]
    photo = make_photo()
    work()
    assert status(photo) == Status.PENDING
    work()
    assert status(photo) == Status.PENDING
    assert client.get(photo.get_absolute_url()).status_code == 404
    assert photo.display_url.startswith("/photos/")
    cloud.decide("approved", "approved")
    work()
    assert status(photo) == Status.APPROVED
    assert "https://res.cloudinary.com/cloud/image/authenticated/s--" in client.get("/").content.decode()
    assert len(cloud.uploads) == 1


@pytest.mark.control("moderation")
@pytest.mark.parametrize(
    ("moderation", "expected"),
    [
        (REJECTED, Status.REJECTED),
        ([{"kind": "aws_rek", "status": "aborted"}, {"kind": "perception_point", "status": "approved"}], Status.REVIEW),
        (
            [{"kind": "aws_rek", "status": "overridden"}, {"kind": "perception_point", "status": "approved"}],
            Status.REVIEW,
        ),
        (
            [{"kind": "aws_rek", "status": "splendid"}, {"kind": "perception_point", "status": "approved"}],
            Status.REVIEW,
        ),
        ([{"kind": "aws_rek", "status": "approved"}], Status.REVIEW),
        ([{"kind": "manual", "status": "approved"}], Status.REVIEW),
        ([], Status.REVIEW),
        (None, Status.REVIEW),
        ("approved", Status.REVIEW),
        ([None, {"status": "approved"}], Status.REVIEW),
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


def test_upload_page_does_not_need_cloudinary(
    cloud: Cloud, login: Login, user: User, upload: Callable[..., Any]
) -> None:
    cloud.faults = [lambda handler: handler.reply(500, "down")]
    assert upload(login(user)).status_code == 302
    assert cloud.calls == []


def answer_late(handler: Handler) -> None:
    time.sleep(1.5)
    handler.reply(401, {})


@pytest.mark.control("V16.5.3")
@pytest.mark.parametrize(
    "fault",
    [
        lambda handler: handler.reply(420, {"error": {"message": "Rate Limit Exceeded"}}),
        lambda handler: handler.reply(429, {"error": {"message": "Slow down"}}, Retry_After="60"),
        lambda handler: handler.reply(502, "<html>Bad gateway</html>"),
        lambda handler: handler.reply(200, '{"public_id": "'),
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


@pytest.mark.control("V16.5.3")
def test_final_refusal_is_shown_to_reviewers_and_photos_wait(
    cloud: Cloud, login: Login, reviewer: User, make_photo: MakePhoto, work: Work
) -> None:
    photo = make_photo()
    cloud.faults = [lambda handler: handler.reply(420, {"error": {"message": "You don't have an active subscription"}})]
    work()
    assert status(photo) == Status.PENDING
    page = login(reviewer).get(f"/admin/uploads/photo/{photo.pk}/change/").content.decode()
    assert "add-on is not registered" in page
    cloud.moderation = REJECTED
    work()
    assert status(photo) == Status.REJECTED


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
@pytest.mark.parametrize("goodbye", ["owner deletes", "reviewer rejects", "retention ends"])
def test_asset_goes_with_the_photo_even_after_an_outage(
    cloud: Cloud,
    settings: Settings,
    reviewer: User,
    make_photo: MakePhoto,
    work: Work,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    goodbye: str,
) -> None:
    cloud.moderation = REJECTED
    photo = make_photo()
    work()
    settings.REJECTED_RETENTION_DAYS = 0
    with django_capture_on_commit_callbacks(execute=True):
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


def test_many_photos_take_one_question_and_the_gallery_one_query_more(
    cloud: Cloud,
    client: HTTPSClient,
    make_photo: MakePhoto,
    work: Work,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(outbox.BATCH):
        make_photo()
    work()
    cloud.decide("approved", "approved")
    work()
    assert len([call for call in cloud.calls if call.startswith("GET")]) == 1
    with django_assert_num_queries(3):
        assert client.get("/").content.decode().count("res.cloudinary.com") == outbox.BATCH
