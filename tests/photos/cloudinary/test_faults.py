"""Faults between the worker and Cloudinary, and attacks from its side."""

import gzip
import hashlib
import json
import os
import socket
import struct
import time
import zlib
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from itertools import cycle, product
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import patch

import cloudinary
import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.urls import get_resolver
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from secure_django.photos.cloudinary import client as sdk
from secure_django.photos.cloudinary import outbox
from secure_django.photos.cloudinary.models import Asset
from secure_django.photos.jobs import delete_removed_files, delete_rows
from secure_django.photos.models import Photo, Status
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.photos.moderation.rules import VerdictValue
from secure_django.photos.services import apply_verdicts, delete_photo, review_photo
from secure_django.photos.templatetags.photos import image_url
from secure_django.testing import PRIVATE, HTTPSClient, Login, MakePhoto, MakeUser
from tests.photos.cloudinary.stub import (
    BASE,
    SECRET,
    WEBHOOK,
    Cloud,
    Fault,
    Handler,
    Notify,
    RunWorker,
    approval,
    moderation,
)
from users.models import User

pytestmark = pytest.mark.tier("whole")

CANARY = "canary-7f3a"
STATUSES = [
    "pending",
    "queued",
    "approved",
    "rejected",
    "aborted",
    "overridden",
    "splendid",
]
DELIVERY = "https://res.cloudinary.com/cloud/image/authenticated/s--"


@pytest.fixture
def run_worker(
    run_worker: RunWorker, cloud: Cloud, request: pytest.FixtureRequest
) -> RunWorker:
    """Give up a fault without an end early. No other call has less time than usual."""
    name = request.node.name
    has_end = "endless" not in name and "stalled" not in name

    def one_pass() -> None:
        short = sdk.MAX_SECONDS if has_end or not cloud.faults else 0.3
        with patch.object(sdk, "MAX_SECONDS", short):
            run_worker()

    return one_pass


class OtherHost(HTTPServer):
    """A host that records the requests it receives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), OtherHostHandler)
        self.requests: list[str] = []


class OtherHostHandler(BaseHTTPRequestHandler):
    server: OtherHost

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        self.server.requests.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST  # noqa: N815 - the base class names it


@pytest.fixture
def other_host() -> Iterator[OtherHost]:
    with OtherHost() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def reset(handler: Handler) -> None:
    """Reset the connection, so that the response never arrives."""
    no_linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
    handler.connection.close()
    null_device = Path(os.devnull).open("r+b")  # noqa: SIM115
    handler.rfile = null_device
    handler.wfile = null_device


def send_half(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"public_id": ')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def send(raw: bytes) -> Fault:
    """Return a fault that sends these bytes, which need not be HTTP."""

    def fault(handler: Handler) -> None:
        handler.wfile.write(raw)

    return fault


def drip(start: str, repeated: str = " ") -> Fault:
    """Return a fault that sends the start at once and then a byte at a time.

    It ends when the client has gone.
    """

    def fault(handler: Handler) -> None:
        with suppress(OSError):
            handler.wfile.write(start.encode())
            for byte in cycle(repeated):
                handler.wfile.write(byte.encode())
                time.sleep(0.02)

    return fault


def flood(handler: Handler) -> None:
    """Send a body of 200 MB, of which the first megabyte is a whole JSON object."""
    with suppress(OSError):
        handler.wfile.write(OK + b'\r\n{"public_id": "x", "version": 1}')
        for _ in range(200):
            handler.wfile.write(b" " * 1024**2)


def good_with(**headers: str) -> Fault:
    """Return a fault that answers well, with extra headers."""

    def fault(handler: Handler) -> None:
        handler.rfile = BytesIO(handler.body)
        with patch.dict(handler.server.headers, headers):
            handler.do_POST()

    return fault


def reply(status: int, body: dict[str, Any] | str | bytes, **headers: str) -> Fault:
    return lambda handler: handler.reply(status, body, **headers)


def error(status: int, message: str = CANARY, **headers: str) -> Fault:
    return reply(status, {"error": {"message": message}}, **headers)


LONG_NUMBER = "9" * 5000
BOMB = gzip.compress(b" " * 64 * 1024**2)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def stall(handler: Handler) -> None:
    """Answer nothing until the client has gone."""
    with suppress(OSError):
        handler.connection.recv(1)


FAULTS: dict[str, Fault] = {
    "stalled": stall,
    "400": error(400),
    "401": error(401),
    "403": error(403),
    "409": error(409),
    "420 limit": error(420, "Rate Limit Exceeded"),
    "420 limit in the headers": error(420, X_FeatureRateLimit_Remaining="0"),
    "420 add-on": error(420, "You don't have an active subscription"),
    "423": error(423),
    "429": error(429, Retry_After="120"),
    "429 with a date out of range": error(429, Retry_After="99999999999999"),
    "429 with a date without a zone": error(
        429, X_FeatureRateLimit_Reset="Mon, 01 Jan 2035 00:00:00 -0000"
    ),
    "429 with an invalid delay": error(429, Retry_After="soon"),
    "429 with a very long delay": error(429, Retry_After="9999999"),
    "500": error(500),
    "500 with a success": reply(500, {"public_id": "x", "version": 1}),
    "502 with HTML": reply(502, f"<html>{CANARY}</html>"),
    "503": error(503),
    "200 with broken JSON": reply(200, f'{{"public_id": "{CANARY}'),
    "200 with a list": reply(200, "[]"),
    "200 with null": reply(200, "null"),
    "200 with an empty body": reply(200, ""),
    "200 with an empty object": reply(200, {}),
    "200 with an error": reply(200, {"error": {"message": CANARY}}),
    "200 about another asset": reply(200, {"public_id": "other", "version": 1}),
    "200 sent by half": send_half,
    "204": reply(204, ""),
    "reset": reset,
    "200 with a list as ID": reply(
        200, {"public_id": ["x"], "version": 1, "resources": [{"public_id": ["x"]}]}
    ),
    "200 with an object as ID": reply(
        200, {"public_id": {}, "version": 1, "resources": [{"public_id": {}}]}
    ),
    "200 with a number as list": reply(200, {"resources": 5}),
    "200 with an object as list": reply(200, {"resources": {"public_id": "x"}}),
    "200 with a list of lists": reply(200, {"resources": [[], 5, None, "x"]}),
    "200 with an object as result": reply(200, {"result": {}}),
    "200 with a BOM": reply(200, '\ufeff{"resources": []}'),
    "200 in UTF-16": reply(200, '{"resources": []}'.encode("utf-16")),
    "200 in UTF-32": reply(200, '{"resources": []}'.encode("utf-32")),
    "200 in Latin-1": reply(200, '{"é": []}'.encode("latin-1")),
    "200 with deep JSON": reply(200, "[" * 100_000),
    "200 with a deep object": reply(200, '{"a":' * 100_000 + "1" + "}" * 100_000),
    "200 with a long number": reply(200, f'{{"version": {LONG_NUMBER}}}'),
    "200 with a decompression bomb": reply(200, BOMB, Content_Encoding="gzip"),
    "200 with a bomb in a bomb": reply(
        200, gzip.compress(BOMB), Content_Encoding="gzip, gzip"
    ),
    "200 with a bomb in deflate": reply(
        200, zlib.compress(b" " * 64 * 1024**2), Content_Encoding="deflate"
    ),
    "200 with empty members": reply(
        200, gzip.compress(b"") * 5000, Content_Encoding="gzip"
    ),
    "200 with broken compression": reply(200, b"x" * 99, Content_Encoding="gzip"),
    "200 with six compressions": reply(
        200, b"x", Content_Encoding="gzip, gzip, gzip, gzip, gzip, gzip"
    ),
    "500 with a decompression bomb": reply(500, BOMB, Content_Encoding="gzip"),
    "200 that fills memory": flood,
    "429 with a long delay in digits": error(429, Retry_After=LONG_NUMBER),
    "429 with a date of digits": error(
        429, X_FeatureRateLimit_Reset=f"Mon, 1 Jan {LONG_NUMBER} 00:00:00 GMT"
    ),
    "good with long rate headers": good_with(
        X_FeatureRateLimit_Limit=LONG_NUMBER,
        X_FeatureRateLimit_Remaining=LONG_NUMBER,
        Retry_After="1",
    ),
    "good with rate headers of 4000 digits": good_with(
        X_FeatureRateLimit_Limit="9" * 4000,
        X_FeatureRateLimit_Remaining="1" * 4000,
        Retry_After="1",
    ),
    "good with odd rate headers": good_with(
        X_FeatureRateLimit_Limit="²",
        X_FeatureRateLimit_Remaining="-1",
        X_FeatureRateLimit_Reset="x" * 1000,
    ),
    "no HTTP": send(b"220 mail.example.com ESMTP\r\n"),
    "a long status line": send(b"HTTP/1.1 200 " + b"x" * 70_000),
    "many headers": send(OK + b"X: y\r\n" * 101 + b"\r\n{}"),
    "two lengths": send(OK + b"Content-Length: 2, 3\r\n\r\n{}"),
    "a chunk without a length": send(CHUNKED.encode() + b"x\r\n"),
    "a chunk of length -1": send(CHUNKED.encode() + b"-1\r\n" + bytes(4 * 1024**2)),
    "a chunk of length -5": send(CHUNKED.encode() + b"-5\r\n{}"),
    "an endless status line": drip("HTTP/1.1 200 "),
    "endless headers": drip("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"),
    "endless interim answers": drip("", "HTTP/1.1 100 Continue\r\n\r\n"),
    "an endless body": drip('HTTP/1.1 200 OK\r\n\r\n{"public_id": "x", "version": 1}'),
    "an endless body with a length": drip(
        "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{"
    ),
    "endless chunks": drip(CHUNKED, "1\r\n \r\n"),
    "an endless trailer": drip(f"{CHUNKED}2\r\n{{}}\r\n0\r\n", "X: y\r\n"),
}


def calls(cloud: Cloud) -> list[str]:
    """Return the paths of all calls, without their methods."""
    return [call.partition(" ")[2] for call in cloud.calls]


def queries(cloud: Cloud) -> list[str]:
    return [call for call in calls(cloud) if call.startswith("resources")]


def reload(photo: Photo) -> Photo:
    photos = get_moderation_backend().with_image_urls(Photo.objects.all())
    return photos.get(pk=photo.pk)


def due_at(photo: Photo) -> datetime | None:
    return Asset.objects.get(pk=photo.pk).due_at


def details(photo: Photo) -> str:
    return " ".join(photo.verdicts.values_list("detail", flat=True))


def approve_all(cloud: Cloud, run_worker: RunWorker) -> None:
    """End all faults, approve every kind, and run the worker until nothing is left."""
    cloud.faults = []
    for _ in range(4):
        for asset in cloud.assets.values():
            for entry in asset.get("moderation", ()):
                entry["status"] = "approved"
        run_worker()


def check_all_published(cloud: Cloud, photos: list[Photo]) -> None:
    """Check that every photo was uploaded exactly once and is published."""
    keys = [str(photo.pk) for photo in photos]
    uploaded_keys = [sent["public_id"] for sent in cloud.uploads]
    assert Counter(uploaded_keys) == Counter(keys)
    assert set(cloud.assets) == set(keys)
    assert {reload(photo).status for photo in photos} == {Status.APPROVED}
    assert not Asset.objects.exclude(due_at=None, claimed_until=None).exists()


@pytest.mark.parametrize("stage", ["before the upload", "after the upload", "query"])
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_during_moderation_only_delays(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    caplog: pytest.LogCaptureFixture,
    client: HTTPSClient,
    fault: str,
    stage: str,
) -> None:
    photos = [make_photo() for _ in range(3)]
    if stage == "query":
        run_worker()
        cloud.decide("approved", "pending")

    def store_first(handler: Handler) -> None:
        # The upload succeeds, but the worker does not learn of it.
        with patch.object(handler, "reply"):
            handler.upload(handler.fields())
        FAULTS[fault](handler)

    for _ in range(3):
        cloud.faults = [store_first if stage == "after the upload" else FAULTS[fault]]
        run_worker()
        assert not Photo.objects.approved().exists()
        for photo in photos:
            assert client.get(f"/photos/{photo.pk}/display/").status_code == 404
    assert CANARY not in " ".join(map(details, photos))
    assert CANARY not in caplog.text
    in_an_hour = timezone.now() + timedelta(hours=1)
    assert not Asset.objects.filter(due_at__gt=in_an_hour).exists()
    approve_all(cloud, run_worker)
    check_all_published(cloud, photos)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_delays_the_record_of_an_approval(
    cloud: Cloud,
    make_photo: MakePhoto,
    reviewer: User,
    run_worker: RunWorker,
    fault: str,
) -> None:
    photo = make_photo()
    run_worker()
    review_photo(photo, reviewer, "approved")
    assert Photo.objects.approved().exists()
    cloud.faults = [FAULTS[fault]]
    run_worker()
    assert Photo.objects.approved().exists()
    approve_all(cloud, run_worker)
    check_all_published(cloud, [photo])
    decision = cloud.assets[str(photo.pk)]["moderation"][-1]
    assert decision == {"kind": "manual", "status": "approved"}


@pytest.mark.parametrize(
    "fault", [name for name in FAULTS if not name.startswith("good")]
)
def test_fault_delays_the_destruction_of_an_asset(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker, fault: str
) -> None:
    photo = make_photo()
    run_worker()
    delete_photo(photo)
    cloud.faults = [FAULTS[fault]]
    run_worker()
    delete_removed_files()
    delete_rows()
    assert Photo.objects.filter(pk=photo.pk).exists()
    run_worker()
    assert not cloud.assets
    assert not Asset.objects.exists()


def test_missing_asset_counts_as_destroyed(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    photo = make_photo()
    run_worker()
    delete_photo(photo)
    cloud.assets.clear()
    run_worker()
    assert not Asset.objects.exists()


def test_closed_port_only_delays(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photos = [make_photo() for _ in range(3)]
    with (
        socket.create_server(("127.0.0.1", 0)) as closed,
        monkeypatch.context() as context,
    ):
        port = closed.getsockname()[1]
        closed.close()
        context.setitem(
            settings.CLOUDINARY, "upload_prefix", f"http://127.0.0.1:{port}"
        )
        for _ in range(2):
            run_worker()
    assert set(Photo.objects.values_list("status", flat=True)) == {Status.PENDING}
    approve_all(cloud, run_worker)
    check_all_published(cloud, photos)


def test_reset_during_the_upload_only_delays(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    photo = make_photo()
    Path(default_storage.path(photo.path("display"))).write_bytes(
        os.urandom(8 * 1024**2)
    )
    Photo.objects.update(display_size=8 * 1024**2)

    def cut(handler: Handler) -> None:
        handler.rfile.read(100_000)
        reset(handler)

    with patch.object(Handler, "do_POST", cut):
        run_worker()
    assert not cloud.uploads
    approve_all(cloud, run_worker)
    check_all_published(cloud, [photo])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("stage", ["upload", "query", "destroy"])
def test_redirect_is_not_followed(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    other_host: OtherHost,
    status: int,
    stage: str,
) -> None:
    photo = make_photo()
    if stage != "upload":
        run_worker()
    if stage == "destroy":
        delete_photo(photo)
    location = f"http://127.0.0.1:{other_host.server_port}/"
    cloud.faults = [
        reply(status, {"public_id": str(photo.pk), "version": 1}, Location=location)
    ]
    run_worker()
    assert cloud.faults == []
    assert other_host.requests == []
    if stage != "destroy":
        approve_all(cloud, run_worker)
        check_all_published(cloud, [photo])


@pytest.mark.parametrize("source", ["upload", "query"])
def test_every_pair_of_statuses(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker, source: str
) -> None:
    """Two approvals publish, one rejection rejects, and all other pairs do neither."""
    for first, second in product(STATUSES, repeat=2):
        entries = moderation(first, second)
        if source == "upload":
            cloud.moderation = entries
        photo = make_photo()
        run_worker()
        if source == "query":
            cloud.assets[str(photo.pk)]["moderation"] = entries
            run_worker()
        if first == second == "approved":
            expected = Status.APPROVED
        elif "rejected" in {first, second}:
            expected = Status.REJECTED
        elif {first, second} <= {"approved", "pending", "queued"}:
            expected = Status.PENDING
        else:
            expected = Status.REVIEW
        assert reload(photo).status == expected, entries
        Photo.objects.all().delete()


@pytest.mark.parametrize(
    "entries",
    [
        [
            {"kind": "aws_rek", "status": "approved"},
            {"kind": "aws_rek", "status": "rejected"},
        ],
        moderation("approved", "approved") + moderation("splendid", "splendid"),
        [{"kind": "aws_rek", "status": "approved"}] * 2,
        [
            {"kind": "aws_rek", "status": ["approved"]},
            {"kind": "perception_point", "status": True},
        ],
        [{"kind": None, "status": None}],
        {"kind": "aws_rek", "status": "approved"},
        [[]],
        0,
        False,
        "x" * 10_000,
        [
            {
                "kind": "aws_rek",
                "status": "x" * 10_000,
                "response": {"a": "\x00<script>"},
            }
        ],
        [
            {"kind": "manual", "status": "approved"},
            {"kind": "aws_rek", "status": "approved"},
        ],
    ],
)
def test_malformed_moderation_goes_to_a_reviewer(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker, entries: Any
) -> None:
    cloud.moderation = entries
    photo = make_photo()
    for _ in range(2):
        run_worker()
        assert reload(photo).status == Status.REVIEW


@pytest.mark.parametrize(
    "kinds", [["manual"], ["aws_rek", "manual"], ["duplicate:0.8"]]
)
def test_kinds_of_the_setting_decide(
    cloud: Cloud,
    make_photo: MakePhoto,
    reviewer: User,
    settings: Settings,
    run_worker: RunWorker,
    kinds: list[str],
) -> None:
    settings.CLOUDINARY_MODERATION = kinds
    cloud.moderation = [{"kind": kind, "status": "approved"} for kind in kinds]
    photo = make_photo()
    cloud.faults = [FAULTS["400"]]
    run_worker()
    assert (
        not photo.verdicts.filter(kind="manual")
        .exclude(result="pending", detail="")
        .exists()
    )
    run_worker()
    assert cloud.uploads[0]["moderation"] == "|".join(kinds)
    # Reviewers decide in the admin, which records who decided. Cloudinary's console
    # does not count.
    expected = Status.PENDING if "manual" in kinds else Status.APPROVED
    assert reload(photo).status == expected
    review_photo(photo, reviewer, "approved")
    run_worker()
    assert reload(photo).status == Status.APPROVED
    assert due_at(photo) is None


def test_listing_without_moderation_is_completed(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    photo = make_photo()
    run_worker()
    cloud.decide("approved", "approved")
    key = str(photo.pk)
    answer = {"resources": [{"public_id": key, "version": 1}, None]}
    cloud.faults = [lambda handler: handler.reply(200, answer)]
    run_worker()
    assert reload(photo).status == Status.APPROVED
    assert f"resources/image/authenticated/{key}" in calls(cloud)


def test_existing_asset_is_queried_at_once(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    photo = make_photo()
    cloud.assets[str(photo.pk)] = {
        "public_id": str(photo.pk),
        "version": 1,
        "moderation": cloud.moderation,
    }
    run_worker()
    assert reload(photo).status == Status.PENDING
    assert cloud.uploads == []
    cloud.decide("approved", "approved")
    outbox.process_due_photos()
    assert reload(photo).status == Status.APPROVED


def test_published_photo_stays_published_in_an_outage(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker, notify: Notify
) -> None:
    photo = make_photo()
    run_worker()
    approve_all(cloud, run_worker)
    for fault in ("500", "400", "401"):
        notify(approval(photo.pk))
        cloud.faults = [FAULTS[fault]]
        outbox.process_due_photos()
        assert reload(photo).status == Status.APPROVED


def test_refused_photo_does_not_delay_the_others(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    for _ in range(3):
        make_photo()
    cloud.faults = [FAULTS["400"]]
    run_worker()
    assert len(cloud.uploads) == 2
    statuses = sorted(Photo.objects.values_list("status", flat=True))
    assert statuses == [Status.PENDING, Status.PENDING, Status.REVIEW]


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1"},
        {"version": True, "public_id": ["x"]},
        {"version": -1},
        {"version": 2**63},
        {"version": 10**4000},
        {"version": None, "moderation": 5},
        {"public_id": "other"},
    ],
    ids=str,
)
def test_bad_entry_delays_its_photo_only(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, Any],
) -> None:
    bad, *photos = [make_photo() for _ in range(4)]
    run_worker()
    cloud.decide("approved", "approved")
    good = dict(cloud.assets[str(bad.pk)])
    cloud.assets[str(bad.pk)].update(change)
    run_worker()
    assert {reload(photo).status for photo in photos} == {Status.APPROVED}
    assert reload(bad).status == Status.PENDING
    assert "Traceback" not in caplog.text
    before_yesterday = timezone.now() - timedelta(days=2)
    Photo.objects.filter(pk=bad.pk).update(created_at=before_yesterday)
    run_worker()
    assert reload(bad).status == Status.REVIEW
    cloud.assets[str(bad.pk)] = good
    run_worker()
    assert reload(bad).status == Status.APPROVED


@pytest.mark.parametrize(
    "fault", ["500", "reset", "an endless body", "200 with a decompression bomb"]
)
def test_failing_photo_does_not_stop_the_others(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker, fault: str
) -> None:
    # The newest photo, so that it would come first without the random order.
    *photos, failing = [make_photo() for _ in range(4)]
    upload = Handler.upload

    def fail_for_one(handler: Handler, fields: dict[str, Any]) -> None:
        if fields["public_id"] == str(failing.pk):
            FAULTS[fault](handler)
        else:
            upload(handler, fields)

    # A call of another photo that a busy machine ends too early is repeated.
    few_seconds = patch.object(sdk, "MAX_SECONDS", 5)
    with patch.object(Handler, "upload", fail_for_one), few_seconds:
        for _ in range(20):
            run_worker()
            cloud.decide("approved", "approved")
            if Photo.objects.approved().count() == len(photos):
                break
    assert {reload(photo).status for photo in photos} == {Status.APPROVED}
    assert reload(failing).status == Status.PENDING
    approve_all(cloud, run_worker)
    check_all_published(cloud, [failing, *photos])


@pytest.mark.parametrize("status", ["\x00", "\ud800", "x" * 5000, "\u202e"])
def test_odd_status_goes_to_a_reviewer(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    caplog: pytest.LogCaptureFixture,
    status: str,
) -> None:
    cloud.moderation = moderation(status, "approved")
    photo = make_photo()
    run_worker()
    assert reload(photo).status == Status.REVIEW
    assert details(photo).isascii()
    assert "Traceback" not in caplog.text


def test_query_that_reports_an_existing_asset_decides(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    photo = make_photo()
    run_worker()
    cloud.decide("approved", "approved")
    cloud.assets[str(photo.pk)]["existing"] = True
    run_worker()
    assert reload(photo).status == Status.APPROVED


def test_claim_outlasts_the_calls_for_a_photo() -> None:
    # A query for all photos, and for one photo: a query, an upload and the record of an
    # approval. Cloudinary may have eight IP addresses, of which only the last answers.
    call_seconds = 8 * sdk.CONNECT_SECONDS + sdk.MAX_SECONDS
    assert timedelta(seconds=4 * call_seconds) < outbox.CLAIM


def test_address_that_does_not_answer_takes_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    with suppress(OSError):  # connections that nobody accepts
        for _ in range(8):
            waiting.append(socket.create_connection(full.getsockname(), timeout=0.2))  # noqa: PERF401
    url = f"http://127.0.0.1:{full.getsockname()[1]}"
    monkeypatch.setitem(settings.CLOUDINARY, "upload_prefix", url)
    monkeypatch.setattr(sdk, "CONNECT_SECONDS", 0.5)
    with pytest.raises(sdk.CloudinaryError) as failure:
        sdk.administer("GET", "")
    # The kernel would give up after minutes, and its error has a number.
    reason = failure.value.__context__
    assert isinstance(reason, TimeoutError)
    assert reason.errno is None
    for it in (*waiting, full):
        it.close()


def test_reviewer_can_restore_a_vanished_asset(
    cloud: Cloud,
    make_photo: MakePhoto,
    reviewer: User,
    run_worker: RunWorker,
    notify: Notify,
) -> None:
    photo = make_photo()
    run_worker()
    approve_all(cloud, run_worker)
    cloud.assets.clear()
    notify(approval(photo.pk))
    run_worker()
    assert reload(photo).status == Status.REVIEW
    review_photo(photo, reviewer, "approved")
    run_worker()
    assert reload(photo).status == Status.APPROVED
    assert set(cloud.assets) == {str(photo.pk)}


def test_later_rejection_by_cloudinary_hides_the_photo(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker, notify: Notify
) -> None:
    photo = make_photo()
    run_worker()
    approve_all(cloud, run_worker)
    cloud.decide("approved", "rejected")
    notify(approval(photo.pk))
    outbox.process_due_photos()
    photo = reload(photo)
    assert (photo.status, photo.reason) == (Status.REJECTED, "Not accepted: file.")


@pytest.mark.parametrize("event", ["deleted", "rejected", "approved", "webhook"])
def test_change_during_an_upload_is_not_lost(
    cloud: Cloud,
    make_photo: MakePhoto,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
    notify: Notify,
    event: str,
) -> None:
    photo = make_photo()
    stale = Photo.objects.get()
    upload = sdk.upload

    def upload_slowly(*args: Any) -> Any:
        answer = upload(*args)
        if event == "deleted":
            delete_photo(stale)
        elif event == "webhook":
            notify(approval(photo.pk))
        else:
            review_photo(stale, reviewer, event)
        # The photo still has this worker's claim.
        assert Asset.objects.claim(1, outbox.CLAIM) == []
        return answer

    monkeypatch.setattr(sdk, "upload", upload_slowly)
    outbox.process_due_photos()
    due = due_at(photo)
    assert due is not None
    assert due <= timezone.now()
    outbox.process_due_photos()
    if event in {"deleted", "rejected"}:
        assert reload(photo).status == event
        assert cloud.assets == {}
    elif event == "approved":
        decision = cloud.assets[str(photo.pk)]["moderation"][-1]
        assert decision["status"] == "approved"
    else:
        assert queries(cloud)


def test_error_with_one_photo_does_not_delay_the_others(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost, failing, *photos = [make_photo() for _ in range(4)]
    default_storage.delete(lost.path("display"))
    take_step = outbox.take_step

    def fail_for_one(asset: Asset, *args: Any) -> Any:
        if asset.pk == failing.pk:
            raise ZeroDivisionError
        return take_step(asset, *args)

    with patch.object(outbox, "take_step", fail_for_one):
        run_worker()
        approve_all(cloud, run_worker)
    assert {reload(photo).status for photo in photos} == {Status.APPROVED}
    assert "A photo could not be processed" in caplog.messages
    assert reload(lost).status == Status.PENDING
    assert "another storage" in details(lost)
    approve_all(cloud, run_worker)
    assert reload(failing).status == Status.APPROVED


def test_error_with_the_verdicts_of_one_photo_holds_up_no_other(
    cloud: Cloud,
    make_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    claim = timezone.now() + timedelta(hours=1)
    cloud.moderation = moderation("approved", "approved")
    failing, taken, other = [make_photo() for _ in range(3)]
    now = timezone.now()
    # Another worker has taken one over in the meantime.
    taking = Asset.objects.filter(pk=taken.pk)

    def fail_for_one(photo: Photo, *_: object, **__: object) -> None:
        taking.update(claimed_until=claim)
        assert photo.pk != failing.pk

    monkeypatch.setattr(outbox, "apply_verdicts", fail_for_one)
    assert outbox.process_due_photos() == 3
    assert "photos processed: 3" in caplog.messages
    (failure,) = [record for record in caplog.records if record.exc_info]
    assert failure.levelname == "ERROR"
    assert (due_at(failing) or now) > now
    assert (due_at(taken), due_at(other)) == (None, None)
    assets = [Asset.objects.get(pk=photo.pk) for photo in (failing, taken, other)]
    claims = [asset.claimed_until for asset in assets]
    assert claims == [None, claim, None]


def test_approval_before_the_upload_publishes_at_once(
    cloud: Cloud,
    client: HTTPSClient,
    make_photo: MakePhoto,
    reviewer: User,
    run_worker: RunWorker,
) -> None:
    photo = make_photo()
    review_photo(photo, reviewer, "approved")
    assert image_url(reload(photo), "display").startswith("/photos/")
    assert client.get(image_url(reload(photo), "display")).status_code == 200
    cloud.faults = [error(503)]
    run_worker()
    run_worker()
    assert image_url(reload(photo), "display").startswith(DELIVERY)
    assert cloud.uploads[0]["moderation"] == "manual"


def test_photo_from_before_cloudinary_keeps_its_url(
    cloud: Cloud, make_photo: MakePhoto, settings: Settings, run_worker: RunWorker
) -> None:
    cloudinary_backend = settings.PHOTO_MODERATION_BACKEND
    settings.PHOTO_MODERATION_BACKEND = (
        "secure_django.photos.moderation.backends.StaffReviewBackend"
    )
    published_photo = make_photo()
    waiting_photo = make_photo()
    apply_verdicts(published_photo, {"manual": VerdictValue("approved")})
    settings.PHOTO_MODERATION_BACKEND = cloudinary_backend
    run_worker()
    assert (
        image_url(reload(published_photo), "display")
        == f"/photos/{published_photo.pk}/display/"
    )
    assert reload(waiting_photo).status == Status.PENDING
    assert cloud.calls == []


def test_delivery_url_has_the_documented_signature(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    photo = make_photo()
    run_worker()
    approve_all(cloud, run_worker)
    photo = reload(photo)
    for variant, size in (("display", 2000), ("thumbnail", 480)):
        url = image_url(photo, variant)
        assert url.startswith(DELIVERY)
        signature, transformation, version, name = url.split("/")[6:]
        signed = f"{transformation}/{name}{SECRET}"
        digest = hashlib.sha256(signed.encode()).digest()
        assert signature == f"s--{urlsafe_b64encode(digest)[:32].decode()}--"
        options = {"c_limit", "f_auto", f"h_{size}", "q_auto", f"w_{size}"}
        assert sorted(transformation.split(",")) == sorted(options)
        asset = cloud.assets[str(photo.pk)]
        assert version == f"v{asset['version']}"


@pytest.mark.parametrize(
    "page", ["/", PRIVATE, "/admin/secure_django_photos/photo/?show=all"]
)
def test_csp_allows_images_of_this_cloud_only(
    cloud: Cloud, login: Login, make_user: MakeUser, page: str
) -> None:
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    policy = login(admin).get(page).headers["Content-Security-Policy"]
    assert "img-src 'self' https://res.cloudinary.com/cloud/;" in policy + ";"
    assert policy.count("cloudinary") == 1


def test_hundred_notifications_cause_one_query(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker, notify: Notify
) -> None:
    photo = make_photo()
    run_worker()
    cloud.decide("approved", "approved")
    for _ in range(100):
        assert notify(approval(photo.pk)).status_code == 200
    outbox.process_due_photos()
    outbox.process_due_photos()
    assert reload(photo).status == Status.APPROVED
    assert len(queries(cloud)) == 1


def test_notification_before_the_upload_is_harmless(
    cloud: Cloud, make_photo: MakePhoto, notify: Notify
) -> None:
    photo = make_photo()
    assert notify(approval(photo.pk)).status_code == 200
    outbox.process_due_photos()
    assert set(cloud.assets) == {str(photo.pk)}
    assert reload(photo).status == Status.PENDING


def test_log_has_no_text_from_notifications(
    cloud: Cloud, notify: Notify, caplog: pytest.LogCaptureFixture
) -> None:
    for secret in (SECRET, "wrong"):
        notify(
            {"public_id": CANARY, "moderation_response": CANARY},
            secret=secret,
            x_canary=CANARY,
        )
        notify(f'"{CANARY}'.encode(), secret=secret)
    notify({}, x_cld_signature=CANARY)
    records = [vars(record) for record in caplog.records]
    assert CANARY not in caplog.text
    assert CANARY not in json.dumps(records, default=repr)


def test_csrf_exempt_views_are_known(cloud: Cloud) -> None:
    def views(patterns: Any) -> Iterator[Any]:
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                yield from views(pattern.url_patterns)
            else:
                yield pattern.callback

    exempt = [
        view.__name__
        for view in views(get_resolver().url_patterns)
        if getattr(view, "csrf_exempt", False)
    ]
    assert sorted(exempt) == ["csp_report", "webhook", "webhook"]
    for method in ("get", "head", "options", "put", "patch", "delete", "trace"):
        assert getattr(HTTPSClient(), method)(WEBHOOK).status_code == 405, method


@pytest.mark.usefixtures("travel")  # the clock stands still
def test_waits_grow_up_to_a_limit() -> None:
    waits = []
    for attempts in (1, 2, 8, 13, 10**6):
        asset = Asset(attempts=attempts)
        wait = asset.next_attempt() - timezone.now()
        waits.append(round(wait.total_seconds()))
    assert waits == [10, 15, 171, 900, 900]


def test_each_cause_of_failure_has_its_advice(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    photo = make_photo()
    advice: dict[str, list[str]] = {}
    odd = (
        "429 with a date without a zone",
        "429 with a date out of range",
        "429 with an invalid delay",
    )
    limited = ("429", *odd, "420 limit", "420 limit in the headers")
    causes = ("401",), ("403",), ("420 add-on",), limited, ("500", "423")
    for faults in causes:
        for fault in faults:
            caplog.clear()
            cloud.faults = [FAULTS[fault]]
            run_worker()
            assert reload(photo).status == Status.PENDING
            advice.setdefault(details(photo), []).append(fault)
            (logged,) = (
                it.getMessage() for it in caplog.records if it.levelname == "WARNING"
            )
            assert details(photo) == f"{logged} {logged}"
    assert tuple(map(tuple, advice.values())) == causes
    assert BASE not in str(advice)


@pytest.mark.parametrize(
    ("entries", "result", "detail"),
    [
        ([], "unknown", '["none"].'),
        ([{"status": "queued"}], "pending", ""),
        (
            [{"status": "approved", "response": {"a": 1}}, {"status": "approved"}],
            "approved",
            '{"a": 1}',
        ),
        (
            [
                {"status": "rejected", "response": "x"},
                {"status": "approved", "response": "y"},
            ],
            "unknown",
            '["approved", "rejected"]. "x" "y"',
        ),
        ([{"status": "rejected", "response": "x" * 2000}], "rejected", '"' + "x" * 999),
    ],
)
def test_reviewer_reads_what_a_kind_reported(
    entries: list[Any], result: str, detail: str
) -> None:
    verdict = outbox.read_verdict(entries)
    assert verdict.result == result
    assert verdict.detail.endswith(detail)
    assert (verdict.detail == detail) is (result != "unknown")


def test_call_ends_if_cloudinary_takes_a_photo_too_slowly(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
) -> None:
    photo = make_photo()
    Path(default_storage.path(photo.path("display"))).write_bytes(
        os.urandom(8 * 1024**2)
    )
    Photo.objects.update(display_size=8 * 1024**2)

    end = Event()
    taken = list[bool]()

    def take_slowly(handler: Handler) -> None:
        """Take all of it, for minutes, unless the client or the test ends first."""
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        with suppress(OSError):
            while handler.rfile.read(10_000):
                if end.wait(0.2):
                    return
        taken.append(True)

    with (
        patch.object(Handler, "do_POST", take_slowly),
        patch.object(sdk, "MAX_SECONDS", 0.3),
    ):
        run_worker()
    assert taken == []
    end.set()
    assert "cannot be reached" in details(photo)
    approve_all(cloud, run_worker)
    check_all_published(cloud, [photo])


def test_answers_are_asked_for_without_compression(
    cloud: Cloud, make_photo: MakePhoto, run_worker: RunWorker
) -> None:
    make_photo()
    asked: list[str | None] = []
    do_post = Handler.do_POST

    def record(handler: Handler) -> None:
        asked.append(handler.headers.get("Accept-Encoding"))
        do_post(handler)

    with patch.object(Handler, "do_POST", record):
        run_worker()
        run_worker()
    assert asked == ["identity"] * 2


def test_sdk_keeps_no_options_from_elsewhere(cloud: Cloud) -> None:
    cloudinary.config(api_proxy="http://evil.example")
    sdk.configure()
    assert cloudinary.config().api_proxy is None


def test_missing_add_on_is_explained_to_reviewers(
    cloud: Cloud,
    login: Login,
    reviewer: User,
    make_photo: MakePhoto,
    run_worker: RunWorker,
) -> None:
    photo = make_photo()
    cloud.faults = [FAULTS["420 add-on"]]
    run_worker()
    assert reload(photo).status == Status.PENDING
    page = (
        login(reviewer)
        .get(f"/admin/secure_django_photos/photo/{photo.pk}/change/")
        .text
    )
    assert "add-on is not registered" in page
    run_worker()
    cloud.decide("rejected", "aborted")
    run_worker()
    assert reload(photo).status == Status.REJECTED


def test_many_photos_need_one_query(
    cloud: Cloud,
    make_photo: MakePhoto,
    run_worker: RunWorker,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(outbox.BATCH_SIZE):
        make_photo()
    run_worker()
    cloud.decide("approved", "approved")
    run_worker()
    listings = [call for call in cloud.calls if call.startswith("GET")]
    assert len(listings) == 1
    backend = get_moderation_backend()
    with django_assert_num_queries(1):
        photos = list(backend.with_image_urls(Photo.objects.approved()))
        urls = [image_url(photo, "thumbnail") for photo in photos]
    delivery_urls = [url for url in urls if url.startswith(DELIVERY)]
    assert len(delivery_urls) == outbox.BATCH_SIZE


def test_deleted_photo_stays_deleted(
    cloud: Cloud, make_photo: MakePhoto, notify: Notify
) -> None:
    photo = make_photo()
    delete_photo(photo)
    Asset.objects.update(due_at=None)
    assert notify(approval(photo.pk)).status_code == 200
    assert reload(photo).status == Status.DELETED
    assert due_at(photo) is None
