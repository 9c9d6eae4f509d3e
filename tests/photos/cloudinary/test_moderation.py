"""Photos from upload to decision, with the real SDK and a stub of Cloudinary."""

import os
import re
import time
import tracemalloc
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from example.models import Thing
from secure_django.photos.cloudinary import client as sdk
from secure_django.photos.cloudinary import outbox
from secure_django.photos.cloudinary.jobs import overdue_photos
from secure_django.photos.cloudinary.models import Asset
from secure_django.photos.jobs import (
    delete_removed_files,
    delete_rows,
    remove_expired_files,
)
from secure_django.photos.models import Photo, Status
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.photos.purposes import PURPOSES, Purpose
from secure_django.photos.services import delete_photo, review_photo
from secure_django.photos.templatetags.photos import image_url
from secure_django.testing import HANG_SECONDS, HTTPSClient, Login, MakePhoto, Travel
from tests.photos.cloudinary.stub import Cloud, Fault, Handler, RunWorker, moderation
from users.models import User

REJECTED = moderation("rejected", "aborted")


def status(photo: Photo) -> str:
    photo.refresh_from_db()
    return photo.status


def display_url(photo: Photo) -> str:
    photos = get_moderation_backend().with_image_urls(Photo.objects.all())
    return image_url(photos.get(pk=photo.pk), "display")


def claim() -> list[Asset]:
    return Asset.objects.claim(outbox.BATCH_SIZE, outbox.CLAIM)


def details(photo: Photo) -> str:
    return " ".join(photo.verdicts.values_list("detail", flat=True))


@pytest.mark.control("moderation")
def test_photo_is_published_after_all_kinds_approve(
    cloud: Cloud,
    client: HTTPSClient,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    # A check of the first kind alone would publish the photo before the malware scan
    # has a result.
    cloud.moderation = moderation("approved", "pending")
    photo = make_photo()
    run_worker()
    assert status(photo) == Status.PENDING
    run_worker()
    assert status(photo) == Status.PENDING
    assert display_url(photo).startswith("/photos/")
    assert client.get(display_url(photo)).status_code == 404
    cloud.decide("approved", "approved")
    Asset.objects.update(due_at=timezone.now())
    call_command("worker", "--once")
    assert status(photo) == Status.APPROVED
    # A short signature has 48 bits.
    signed = r"https://res\.cloudinary\.com/cloud/image/authenticated/s--[\w-]{32}--/"
    with django_assert_num_queries(1):  # none for the asset of a photo
        assert re.match(signed, display_url(photo))
    # A list of another app may have read the photo without its asset.
    photo.refresh_from_db()
    with django_assert_num_queries(0):
        assert image_url(photo, "display").startswith("/photos/")
    # The URL would work for everyone who gets it.
    Photo.objects.update(purpose="example.thing.plan")
    assert display_url(photo).startswith("/photos/")
    assert len(cloud.uploads) == 1


@pytest.mark.control("moderation")
@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (REJECTED, Status.REJECTED),
        (moderation("aborted", "approved"), Status.REVIEW),
        (moderation("splendid", "approved"), Status.REVIEW),
        (moderation("approved", "approved")[:1], Status.REVIEW),
        (None, Status.REVIEW),
        ("approved", Status.REVIEW),
    ],
)
def test_photo_without_all_approvals_stays_hidden(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    entries: Any,
    expected: str,
) -> None:
    cloud.moderation = entries
    photo = make_photo()
    run_worker()
    assert status(photo) == expected
    run_worker()
    assert status(photo) == expected


@pytest.mark.control("moderation")
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_upload_requests_a_private_moderated_asset(
    cloud: Cloud,
    settings: Settings,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    digest: str,
) -> None:
    cloud.digest = digest
    settings.CLOUDINARY |= {"signature_algorithm": digest}
    photo = make_photo()
    run_worker()
    (sent,) = cloud.uploads
    assert sent["public_id"] == str(photo.pk)
    assert sent["type"] == "authenticated"
    assert sent["overwrite"] == "0"
    assert sent["allowed_formats"] == "jpg"
    assert sent["moderation"] == "aws_rek|perception_point"
    assert sent["notification_url"].endswith("/webhooks/cloudinary/")
    with default_storage.open(photo.path("display")) as file:
        assert sent["file"] == ("upload.jpg", file.read())


@pytest.mark.control("moderation")
def test_private_photo_is_never_sent(
    cloud: Cloud, reviewer: User, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    private = Purpose("private", "private")
    private.is_moderated = False
    photo = make_photo(purpose=private)
    review_photo(photo, reviewer, "approved")
    run_worker()
    assert not Asset.objects.exists()
    assert not cloud.calls


def never_respond(handler: Handler) -> None:
    handler.connection.recv(1)  # until the worker has closed the connection


@pytest.mark.control("V16.5.3")
@pytest.mark.parametrize(
    "fault",
    [
        lambda handler: handler.reply(
            429, {"error": {"message": "Slow down"}}, Retry_After="60"
        ),
        lambda handler: handler.reply(
            307, {}, Location=f"{handler.server.url}{handler.path}"
        ),
        lambda handler: handler.connection.close(),
        never_respond,
    ],
)
def test_outage_only_delays_photos(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    photos = [make_photo(), make_photo()]
    cloud.faults = [fault]
    with monkeypatch.context() as patch:
        patch.setattr(sdk, "MAX_SECONDS", 1)
        run_worker()
    assert len(cloud.calls) == 1  # no call for the second photo
    assert {status(photo) for photo in photos} == {Status.PENDING}
    message = caplog.messages[0]
    for photo in photos:
        assert details(photo).strip() == f"{message} {message}"
    assert "tried again" in caplog.text or "rate limit" in caplog.text
    run_worker()
    cloud.decide("approved", "approved")
    run_worker()
    assert {status(photo) for photo in photos} == {Status.APPROVED}
    assert len(cloud.uploads) == 2


@pytest.mark.control("V16.5.2")
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ('{"public_id": [], "version": 1, "resources": [{"public_id": []}]}', {}),
        ('{"resources": 5}', {}),
        ('\ufeff{"resources": []}', {}),
        ('{"resources": []}'.encode("utf-16"), {}),
        ('{"version": ' + "9" * 5000 + "}", {}),
        (
            "{}",
            {
                "X_FeatureRateLimit_Limit": "9" * 5000,
                "X_FeatureRateLimit_Remaining": "1",
                "Retry_After": "60",
            },
        ),
        (b" " * 32 * 1024**2, {}),
    ],
    ids=[
        "list as ID",
        "number as list",
        "BOM",
        "UTF-16",
        "long number",
        "long header",
        "32 MiB",
    ],
)
def test_unreadable_answer_delays_one_photo(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    body: str | bytes,
    headers: dict[str, str],
) -> None:
    photos = [make_photo(), make_photo()]
    expected = [
        [Status.PENDING, Status.PENDING],
        [Status.APPROVED, Status.PENDING],
        [Status.APPROVED] * 2,
    ]
    for statuses in expected:
        # The first pass uploads, the others ask. The answers about the other photo are
        # good.
        cloud.faults = [lambda handler: handler.reply(200, body, **headers)]
        tracemalloc.start()
        run_worker()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 16 * 1024**2
        assert sorted(map(status, photos)) == statuses
        cloud.decide("approved", "approved")
    assert len(cloud.uploads) == 2


@pytest.mark.control("V16.5.2")
@pytest.mark.parametrize(
    "start", ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n"], ids=["headers", "body"]
)
def test_endless_answer_is_cut(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    monkeypatch: pytest.MonkeyPatch,
    start: str,
) -> None:
    photos = [make_photo(), make_photo()]
    sent_all: list[bool] = []

    def drip(handler: Handler) -> None:
        handler.wfile.write(start.encode())
        with suppress(OSError):  # the worker has closed the connection
            for _ in range(20 * HANG_SECONDS):
                handler.wfile.write(b" ")
                time.sleep(0.05)
            sent_all.append(True)

    cloud.faults = [drip]
    with monkeypatch.context() as patch:
        patch.setattr(sdk, "MAX_SECONDS", 1)
        run_worker()
    assert sent_all == []
    assert len(cloud.calls) == 1  # no call for the second photo
    assert all("tried again" in details(photo) for photo in photos)
    run_worker()
    assert len(cloud.uploads) == 2


@pytest.mark.control("V16.5.2")
@pytest.mark.parametrize("length", ["-1", "-5"])
def test_chunk_of_negative_length_fills_no_memory(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker, length: str
) -> None:
    photo = make_photo()

    def flood(handler: Handler) -> None:
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n"
            % length.encode()
        )
        with suppress(OSError):
            for _ in range(32):
                handler.wfile.write(bytes(2**20))

    for _ in range(2):  # the upload, and the query
        cloud.faults = [flood]
        tracemalloc.start()
        run_worker()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 16 * 1024**2
        assert "tried again" in details(photo)


@pytest.mark.control("V16.5.3")
def test_worker_with_another_storage_leaves_photos_waiting(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    media: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    photos = [make_photo(), make_photo()]
    elsewhere = media.rename(media.with_name("elsewhere"))
    run_worker()
    assert {status(photo) for photo in photos} == {Status.PENDING}
    assert not cloud.calls
    assert "another storage" in caplog.text
    assert all("another storage" in details(photo) for photo in photos)
    elsewhere.rename(media)
    run_worker()
    assert len(cloud.uploads) == 2


@pytest.mark.control("power")
def test_file_that_is_not_whole_is_not_sent(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    photo = make_photo()
    path = default_storage.path(photo.path("display"))
    os.truncate(path, photo.display_size - 1)
    run_worker()
    assert not cloud.calls
    assert "not whole" in details(photo)


@pytest.mark.control("V16.5.3")
def test_upload_with_unknown_outcome_is_not_repeated(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    photo = make_photo()

    def store_and_disconnect(handler: Handler) -> None:
        handler.server.assets[str(photo.pk)] = {
            "public_id": str(photo.pk),
            "version": 1,
            "moderation": REJECTED,
        }
        handler.connection.close()

    cloud.faults = [store_and_disconnect]
    run_worker()
    run_worker()
    assert status(photo) == Status.REJECTED
    assert [call for call in cloud.calls if "upload" in call] == ["POST image/upload"]


@pytest.mark.control("moderation")
def test_stuck_photo_goes_to_a_reviewer(
    cloud: Cloud, settings: Settings, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    age = timedelta(hours=settings.MODERATION_STUCK_HOURS, minutes=1)
    photo = make_photo(created_at=timezone.now() - age)
    run_worker()
    assert status(photo) == Status.REVIEW
    assert "No verdict within" in details(photo)
    cloud.decide("approved", "approved")
    run_worker()
    assert status(photo) == Status.APPROVED


@pytest.mark.control("moderation")
def test_rejected_photo_is_hidden_until_a_reviewer_approves_it(
    cloud: Cloud,
    login: Login,
    user: User,
    reviewer: User,
    make_photo: MakePhoto,
    run_worker: RunWorker,
) -> None:
    cloud.moderation = REJECTED
    photo = make_photo()
    run_worker()
    thumbnail = image_url(photo, "thumbnail")
    photo.refresh_from_db()
    assert photo.reason == "Not accepted: content."
    assert login(user).get(thumbnail).status_code == 404
    assert login(reviewer).get(thumbnail).status_code == 200
    review_photo(photo, reviewer, "approved")
    run_worker()
    assert status(photo) == Status.APPROVED
    decision = cloud.assets[str(photo.pk)]["moderation"][-1]
    assert decision == {"kind": "manual", "status": "approved"}
    version = cloud.assets[str(photo.pk)]["version"]
    assert f"/v{version}/{photo.pk}.jpg" in display_url(photo)


@pytest.mark.control("moderation")
@pytest.mark.parametrize(
    "removal", ["owner deletes", "reviewer rejects", "retention ends"]
)
def test_removed_photo_is_destroyed_at_cloudinary(
    cloud: Cloud,
    settings: Settings,
    reviewer: User,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    removal: str,
) -> None:
    cloud.moderation = REJECTED
    photo = make_photo()
    run_worker()
    settings.REJECTED_RETENTION_DAYS = 0
    if removal == "owner deletes":
        delete_photo(photo)
    elif removal == "reviewer rejects":
        review_photo(photo, reviewer, "rejected")
    else:
        remove_expired_files()
    delete_removed_files()
    cloud.faults = [lambda handler: handler.reply(503, "")]
    run_worker()
    assert cloud.assets
    Photo.objects.update(created_at=timezone.now() - timedelta(hours=2))
    delete_rows()  # the row stays, since Cloudinary still holds the photo
    run_worker()
    assert not cloud.assets
    assert not default_storage.exists(photo.path("display"))
    assert not Asset.objects.exists()
    delete_rows()
    assert Photo.objects.exists() is (removal != "owner deletes")


@pytest.mark.control("moderation")
def test_due_photo_is_claimed_by_one_worker(
    cloud: Cloud, make_photo: MakePhoto, travel: Travel
) -> None:
    photo = make_photo()
    (claimed,) = claim()
    assert claimed.photo == photo
    assert claim() == []
    travel(timedelta(seconds=1))
    Asset.objects.update(due_at=timezone.now())  # as a notification does meanwhile
    Asset.objects.reschedule(claimed, None)
    Asset.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    call_command("worker", "--once")
    asset = Asset.objects.get()
    assert status(photo) == Status.PENDING
    assert asset.claimed_until is None
    assert asset.attempts == 2
    assert asset.due_at == timezone.now() + timedelta(seconds=15)


@pytest.mark.control("moderation")
def test_claim_does_not_rest_on_a_subquery(cloud: Cloud, make_photo: MakePhoto) -> None:
    make_photo()
    with CaptureQueriesContext(connection) as queries:
        assert Asset.objects.filter(photo__has_files=True).claim(1, outbox.CLAIM)
    # PostgreSQL would not repeat a subquery, and two workers would get the same row.
    statements = [query["sql"] for query in queries]
    (update,) = [sql for sql in statements if sql.startswith("UPDATE")]
    assert "SELECT" not in update


@pytest.mark.control("moderation")
def test_claim_lasts_as_long_as_the_pass(
    cloud: Cloud, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [make_photo() for _ in range(4)]

    def step_slowly(*_: object) -> outbox.Outcome:
        later = timezone.now() + outbox.CLAIM - timedelta(seconds=1)
        monkeypatch.setattr("django.utils.timezone.now", lambda: later)
        free.extend(claim())
        return outbox.Outcome(None, {})

    free: list[Asset] = []
    monkeypatch.setattr(outbox, "take_step", step_slowly)
    # Until the first step, the time of a busy machine stands still.
    started = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: started)
    assert outbox.process_due_photos() == len(photos)
    assert free == []
    assert not Asset.objects.exclude(due_at=None, claimed_until=None).exists()


@pytest.mark.control("moderation")
def test_photo_of_a_dead_worker_is_free_after_minutes(
    cloud: Cloud, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_photo()
    assert claim()
    later = timezone.now() + timedelta(minutes=5, seconds=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert outbox.process_due_photos() == 1


def test_staff_and_the_status_learn_of_overdue_photos(
    cloud: Cloud, login: Login, reviewer: User, make_photo: MakePhoto
) -> None:
    def warnings() -> list[str]:
        response = login(reviewer).get("/admin/secure_django_photos/photo/")
        return [message.message for message in get_messages(response.wsgi_request)]

    now = timezone.now()
    photos = [make_photo() for _ in range(2)]
    assert (warnings(), overdue_photos()[0]) == ([], True)
    # The service is down: the photos wait for a later attempt.
    for created, due, photo_status in (
        (59, now, "pending"),
        (61, None, "pending"),
        (61, now, "review"),
    ):
        Photo.objects.update(
            created_at=now - timedelta(minutes=created), status=photo_status
        )
        Asset.objects.update(due_at=due and now + timedelta(minutes=15))
        assert warnings() == []
    Photo.objects.update(status=Status.PENDING)
    assert " hour: 2." in warnings()[0]
    assert overdue_photos()[:2] == (
        False,
        "2 wait for moderation for more than an hour",
    )
    review_photo(photos[0], reviewer, "approved")
    assert " hour: 1." in warnings()[0]
    review_photo(photos[1], reviewer, "approved")
    assert warnings() == []


@pytest.mark.parametrize("is_approved", [False, True])
def test_photo_is_sent_only_while_an_object_refers_to_it(
    is_approved: bool,
    cloud: Cloud,
    user: User,
    reviewer: User,
    make_photo: MakePhoto,
    run_worker: RunWorker,
) -> None:
    photo = make_photo(purpose=PURPOSES["example.thing.image"])
    hour_ago = timezone.now() - timedelta(minutes=61)
    Photo.objects.update(created_at=hour_ago)
    if is_approved:
        review_photo(photo, reviewer, "approved")
    run_worker()
    assert not cloud.uploads
    assert Asset.objects.filter(due_at__gt=timezone.now()).exists()
    assert overdue_photos()[0]
    # As by a form whose objects are saved after its photos.
    Thing.objects.create(owner=user, title="Teal", image=photo)
    assert overdue_photos()[0] is is_approved
    run_worker()
    assert len(cloud.uploads) == 1
