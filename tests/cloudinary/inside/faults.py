"""Everything that can go wrong between the worker and Cloudinary; runs among a generated project's own tests."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, ARG001, ARG005, I001, N815, PLR0913, PLR0917, PTH123

import json
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import product
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from conftest import HTTPSClient, Login, MakePhoto, Upload
from uploads import outbox
from uploads.models import Photo, Status
from uploads.moderation.cloudinary import client, moderator
from uploads.moderation.cloudinary.models import Asset
from uploads.moderation.cloudinary.tests.stub import BASE, Cloud, Handler
from uploads.moderation.cloudinary.tests.test_webhook import URL, approval, notify
from users.models import User

CANARY = "canary-7f3a"
STATUSES = ["pending", "queued", "approved", "rejected", "aborted", "overridden", "splendid"]
Work = Callable[[], None]


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(client.OPTIONS, "timeout", 0.3)


@pytest.fixture
def elsewhere() -> Any:
    """Return another host, which keeps what it is sent."""

    class Thief(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.server.seen.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST

    with HTTPServer(("127.0.0.1", 0), Thief) as server:
        server.seen = []
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def reset(handler: Handler) -> None:
    """Cut the connection with a reset, so that the answer never comes."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.rfile = handler.wfile = open(os.devnull, "r+b")  # noqa: SIM115


def half(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"public_id": ')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def error(status: int, message: str = CANARY, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.reply(status, {"error": {"message": message}}, **headers)


FAULTS: dict[str, Callable[[Handler], Any]] = {
    "stalled": lambda handler: time.sleep(0.5),
    "400": error(400),
    "401": error(401),
    "403": error(403),
    "409": error(409),
    "420 limit": error(420, "Rate Limit Exceeded"),
    "420 limit in the headers": error(420, CANARY, X_FeatureRateLimit_Remaining="0"),
    "420 add-on": error(420, "You don't have an active subscription"),
    "423": error(423),
    "429": error(429, CANARY, Retry_After="120"),
    "429 beyond time": error(429, CANARY, Retry_After="99999999999999"),
    "429 with nonsense": error(429, CANARY, Retry_After="soon"),
    "429 for ever": error(429, CANARY, Retry_After="9999999"),
    "500": error(500),
    "500 with a success": lambda handler: handler.reply(500, {"public_id": "x", "version": 1}),
    "502 with HTML": lambda handler: handler.reply(502, f"<html>{CANARY}</html>"),
    "503": error(503),
    "200 with broken JSON": lambda handler: handler.reply(200, f'{{"public_id": "{CANARY}'),
    "200 with a list": lambda handler: handler.reply(200, "[]"),
    "200 with null": lambda handler: handler.reply(200, "null"),
    "200 with nothing": lambda handler: handler.reply(200, ""),
    "200 with an empty object": lambda handler: handler.reply(200, {}),
    "200 with an error": lambda handler: handler.reply(200, {"error": {"message": CANARY}}),
    "200 about another asset": lambda handler: handler.reply(200, {"public_id": "other", "version": 1}),
    "200 half sent": half,
    "204": lambda handler: handler.reply(204, ""),
    "reset": reset,
}


def names(cloud: Cloud) -> list[str]:
    return [call.removeprefix("POST ").removeprefix("GET ") for call in cloud.calls]


def settle(cloud: Cloud, work: Work) -> None:
    """Let Cloudinary be well again, and its kinds approve."""
    cloud.faults = []
    for _ in range(4):
        for asset in cloud.assets.values():
            for entry in asset.get("moderation", ()):
                entry["status"] = "approved"
        work()


def check(cloud: Cloud, photos: list[Photo]) -> None:
    """No photo lost, none twice, every one in a final status."""
    assert Counter(sent["public_id"] for sent in cloud.uploads) == Counter(str(photo.pk) for photo in photos)
    assert set(cloud.assets) == {str(photo.pk) for photo in photos}
    assert {photo.status for photo in Photo.objects.filter(pk__in=[photo.pk for photo in photos])} == {Status.APPROVED}
    assert not Photo.objects.exclude(due_at=None, claimed_until=None).exists()


@pytest.mark.parametrize("stage", ["send", "sent", "ask"])
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_while_photos_are_moderated(
    cloud: Cloud,
    make_photo: MakePhoto,
    work: Work,
    caplog: pytest.LogCaptureFixture,
    client: HTTPSClient,
    fault: str,
    stage: str,
) -> None:
    photos = [make_photo() for _ in range(3)]
    if stage == "ask":
        work()
        cloud.decide("approved", "pending")

    def store_first(handler: Handler) -> None:
        # The outcome that the worker does not learn of.
        answer, handler.reply = handler.reply, lambda *args: None
        handler.upload(handler.fields())
        handler.reply = answer
        FAULTS[fault](handler)

    for _ in range(3):
        cloud.faults = [store_first if stage == "sent" else FAULTS[fault]]
        work()
        assert not Photo.objects.published().exists()
        assert "res.cloudinary.com" not in client.get("/").content.decode()
    details = str([list(photo.verdicts.values_list("detail")) for photo in photos])
    assert CANARY not in details + caplog.text
    assert not Photo.objects.filter(due_at__gt=timezone.now() + timedelta(hours=1)).exists()
    settle(cloud, work)
    check(cloud, photos)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_while_a_decision_is_told(
    cloud: Cloud, make_photo: MakePhoto, reviewer: Any, work: Work, fault: str
) -> None:
    photo = make_photo()
    work()
    photo.record({"manual": "approved"}, by=reviewer)
    assert Photo.objects.published().exists()
    cloud.faults = [FAULTS[fault]]
    work()
    assert Photo.objects.published().exists()
    settle(cloud, work)
    check(cloud, [photo])
    assert cloud.assets[str(photo.pk)]["moderation"][-1] == {"kind": "manual", "status": "approved"}


@pytest.mark.parametrize(
    "fault", [name for name in FAULTS if name not in {"200 about another asset", "200 with an empty object"}]
)
def test_fault_while_an_asset_is_destroyed(cloud: Cloud, make_photo: MakePhoto, work: Work, fault: str) -> None:
    photo = make_photo()
    work()
    photo.discard()
    cloud.faults = [FAULTS[fault]]
    work()
    call_command("clean_photos")
    assert Photo.objects.filter(pk=photo.pk).exists()
    work()
    assert not cloud.assets
    assert not Asset.objects.exists()
    assert not Photo.objects.exclude(due_at=None).exists()


def test_no_connection_at_all(cloud: Cloud, make_photo: MakePhoto, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = [make_photo() for _ in range(3)]
    with socket.create_server(("127.0.0.1", 0)) as closed, monkeypatch.context() as patch:
        port = closed.getsockname()[1]
        closed.close()
        patch.setitem(vars(client.cloudinary.config()), "upload_prefix", f"http://127.0.0.1:{port}")
        for _ in range(2):
            work()
    assert set(Photo.objects.values_list("status", flat=True)) == {Status.PENDING}
    settle(cloud, work)
    check(cloud, photos)


def test_reset_in_the_middle_of_the_upload(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    with open(f"{moderator.default_storage.path(photo.path('display'))}", "wb") as file:
        file.write(os.urandom(8 * 1024**2))
    original = Handler.do_POST

    def cut(handler: Handler) -> None:
        handler.rfile.read(100_000)
        reset(handler)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "do_POST", cut)
        work()
    assert Handler.do_POST is original
    assert not cloud.uploads
    settle(cloud, work)
    check(cloud, [photo])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("stage", ["send", "ask", "destroy"])
def test_redirect_is_not_followed(
    cloud: Cloud, make_photo: MakePhoto, work: Work, elsewhere: Any, status: int, stage: str
) -> None:
    photo = make_photo()
    if stage != "send":
        work()
    if stage == "destroy":
        photo.discard()
    address = f"http://127.0.0.1:{elsewhere.server_port}/"
    cloud.faults = [lambda handler: handler.reply(status, {"public_id": str(photo.pk), "version": 1}, Location=address)]
    work()
    assert cloud.faults == []
    assert elsewhere.seen == []
    if stage != "destroy":
        settle(cloud, work)
        check(cloud, [photo])


def test_stalled_service_costs_a_pass_one_timeout(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    for _ in range(outbox.BATCH):
        make_photo()
    cloud.faults = [lambda handler: time.sleep(0.5)] * 9
    start = time.monotonic()
    work()
    assert time.monotonic() - start < 1
    cloud.faults = []
    settle(cloud, work)
    check(cloud, list(Photo.objects.all()))


@pytest.mark.parametrize("way", ["upload", "question"])
def test_every_pair_of_words(cloud: Cloud, make_photo: MakePhoto, work: Work, way: str) -> None:
    """Published when both kinds approve, rejected when one rejects, and otherwise nothing of the kind."""
    for first, second in product(STATUSES, repeat=2):
        words = [{"kind": "aws_rek", "status": first}, {"kind": "perception_point", "status": second}]
        if way == "upload":
            cloud.moderation = words
        photo = make_photo()
        work()
        if way == "question":
            cloud.assets[str(photo.pk)]["moderation"] = words
            work()
        photo.refresh_from_db()
        if first == second == "approved":
            assert photo.status == Status.APPROVED
        elif "rejected" in {first, second}:
            assert photo.status == Status.REJECTED, words
        elif {first, second} <= {"approved", "pending", "queued"}:
            assert photo.status == Status.PENDING, words
        else:
            assert photo.status == Status.REVIEW, words
        Photo.objects.all().delete()


@pytest.mark.parametrize(
    "moderation",
    [
        [{"kind": "aws_rek", "status": "approved"}, {"kind": "aws_rek", "status": "rejected"}],
        [
            {"kind": kind, "status": status}
            for kind in ("aws_rek", "perception_point")
            for status in ("approved", "splendid")
        ],
        [{"kind": "aws_rek", "status": "approved"}] * 2,
        [{"kind": "aws_rek", "status": ["approved"]}, {"kind": "perception_point", "status": True}],
        [{"kind": None, "status": None}],
        {"kind": "aws_rek", "status": "approved"},
        [[]],
        0,
        False,
        "x" * 10_000,
        [{"kind": "aws_rek", "status": "x" * 10_000, "response": {"a": "\x00<script>"}}],
        [{"kind": "manual", "status": "approved"}, {"kind": "aws_rek", "status": "approved"}],
    ],
)
def test_odd_moderation_publishes_nothing(cloud: Cloud, make_photo: MakePhoto, work: Work, moderation: Any) -> None:
    cloud.moderation = moderation
    photo = make_photo()
    for _ in range(2):
        work()
        photo.refresh_from_db()
        assert photo.status == Status.REVIEW


@pytest.mark.parametrize("kinds", [["manual"], ["aws_rek", "manual"], ["duplicate:0.8"]])
def test_kinds_of_the_setting(
    cloud: Cloud, make_photo: MakePhoto, reviewer: Any, settings: Any, work: Work, kinds: list[str]
) -> None:
    settings.CLOUDINARY_MODERATION = kinds
    cloud.moderation = [{"kind": kind.partition(":")[0], "status": "approved"} for kind in kinds]
    photo = make_photo()
    work()
    assert cloud.uploads[0]["moderation"] == "|".join(kinds)
    photo.refresh_from_db()
    # A person decides here, where it is recorded who it was; Cloudinary's console does not count.
    assert photo.status == (Status.PENDING if "manual" in kinds else Status.APPROVED)
    photo.record({"manual": "approved"}, by=reviewer)
    work()
    photo.refresh_from_db()
    assert (photo.status, photo.due_at) == (Status.APPROVED, None)


def test_list_without_moderation_is_made_up_for(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    work()
    cloud.decide("approved", "approved")
    key = str(photo.pk)
    cloud.faults = [lambda handler: handler.reply(200, {"resources": [{"public_id": key, "version": 1}, None]})]
    work()
    photo.refresh_from_db()
    assert photo.status == Status.APPROVED
    assert f"resources/image/authenticated/{key}" in names(cloud)


def test_asset_that_was_overlooked_is_asked_for_again(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    cloud.assets[str(photo.pk)] = {"public_id": str(photo.pk), "version": 1, "moderation": cloud.moderation}
    work()
    photo.refresh_from_db()
    assert (photo.status, cloud.uploads) == (Status.PENDING, [])
    cloud.decide("approved", "approved")
    outbox.work()
    photo.refresh_from_db()
    assert photo.status == Status.APPROVED


def test_published_photo_outlasts_an_outage(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    work()
    settle(cloud, work)
    for fault in ("500", "400", "401"):
        notify(approval(photo))
        cloud.faults = [FAULTS[fault]]
        outbox.work()
        photo.refresh_from_db()
        assert photo.status == Status.APPROVED


def test_refused_photo_does_not_keep_the_others_from_being_sent(
    cloud: Cloud, make_photo: MakePhoto, work: Work
) -> None:
    for _ in range(3):
        make_photo()
    cloud.faults = [FAULTS["400"]]
    work()
    assert len(cloud.uploads) == 2
    assert sorted(Photo.objects.values_list("status", flat=True)) == [Status.PENDING, Status.PENDING, Status.REVIEW]


def test_asset_that_vanished_goes_to_a_person_who_can_bring_it_back(
    cloud: Cloud, make_photo: MakePhoto, reviewer: Any, work: Work
) -> None:
    photo = make_photo()
    work()
    settle(cloud, work)
    cloud.assets.clear()
    notify(approval(photo))
    work()
    photo.refresh_from_db()
    assert photo.status == Status.REVIEW
    photo.record({"manual": "approved"}, by=reviewer)
    work()
    photo.refresh_from_db()
    assert (photo.status, set(cloud.assets)) == (Status.APPROVED, {str(photo.pk)})


def test_approval_can_be_taken_back_by_cloudinary(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    work()
    settle(cloud, work)
    cloud.decide("approved", "rejected")
    notify(approval(photo))
    outbox.work()
    photo.refresh_from_db()
    assert (photo.status, photo.reason) == (Status.REJECTED, "Not accepted: file.")


@pytest.mark.parametrize("event", ["deleted", "rejected", "approved", "webhook"])
def test_what_happens_during_an_upload_is_not_lost(
    cloud: Cloud, make_photo: MakePhoto, reviewer: Any, monkeypatch: pytest.MonkeyPatch, work: Work, event: str
) -> None:
    photo = make_photo()
    stale = Photo.objects.get()
    send = client.send

    def send_slowly(*args: Any) -> Any:
        answer = send(*args)
        if event == "deleted":
            stale.discard()
        elif event == "webhook":
            notify(approval(photo))
        else:
            stale.record({"manual": event}, by=reviewer)
        assert outbox.claim() == []  # nobody else may touch it now
        return answer

    monkeypatch.setattr(client, "send", send_slowly)
    outbox.work()
    photo.refresh_from_db()
    assert photo.due_at is not None
    assert photo.due_at <= timezone.now()
    outbox.work()
    photo.refresh_from_db()
    if event in {"deleted", "rejected"}:
        assert (photo.status, cloud.assets) == (event, {})
    elif event == "approved":
        assert cloud.assets[str(photo.pk)]["moderation"][-1]["status"] == "approved"
    else:
        assert [call for call in names(cloud) if call.startswith("resources")]


def test_one_broken_photo_does_not_hold_up_the_others(
    cloud: Cloud, make_photo: MakePhoto, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, buggy, *photos = [make_photo() for _ in range(4)]
    moderator.default_storage.delete(lost.path("display"))
    step = moderator.step

    def stumble(photo: Photo, *args: Any) -> Any:
        if photo.pk == buggy.pk:
            raise ZeroDivisionError
        return step(photo, *args)

    with monkeypatch.context() as patch:
        patch.setattr(moderator, "step", stumble)
        work()
        settle(cloud, work)
    assert {photo.status for photo in Photo.objects.filter(pk__in=[photo.pk for photo in photos])} == {Status.APPROVED}
    lost.refresh_from_db()
    assert lost.status == Status.REVIEW
    assert "file is missing" in lost.verdicts.first().detail
    settle(cloud, work)
    buggy.refresh_from_db()
    assert buggy.status == Status.APPROVED


def test_approval_before_anything_was_sent_is_published_at_once_and_sent_later(
    cloud: Cloud, client: HTTPSClient, make_photo: MakePhoto, reviewer: Any, work: Work
) -> None:
    photo = make_photo()
    photo.record({"manual": "approved"}, by=reviewer)
    assert photo.display_url.startswith("/photos/")
    assert client.get(photo.display_url).status_code == 200
    cloud.faults = [error(503)]
    work()
    work()
    photo = Photo.objects.get()
    assert photo.display_url.startswith("https://res.cloudinary.com/cloud/image/authenticated/s--")
    assert cloud.uploads[0]["moderation"] == "manual"


def test_photos_from_before_cloudinary_keep_their_own_addresses(
    cloud: Cloud, make_photo: MakePhoto, settings: Any, work: Work
) -> None:
    here, settings.PHOTO_MODERATOR = settings.PHOTO_MODERATOR, "uploads.moderation.StaffReview"
    published, waiting = make_photo(), make_photo()
    published.record({"manual": "approved"})
    settings.PHOTO_MODERATOR = here
    work()
    published.refresh_from_db()
    assert published.display_url == f"/photos/{published.pk}/display/"
    waiting.refresh_from_db()
    assert (waiting.status, cloud.calls) == (Status.PENDING, [])


def test_delivery_is_signed_as_the_documentation_says(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    work()
    settle(cloud, work)
    photo.refresh_from_db()
    for url, size in ((photo.display_url, 2000), (photo.thumbnail_url, 480)):
        assert url.startswith("https://res.cloudinary.com/cloud/image/authenticated/s--")
        signature, transformation, version, name = url.split("/")[6:]
        signed = f"{transformation}/{name}secret".encode()
        digest = client.cloudinary.utils.base64.urlsafe_b64encode(__import__("hashlib").sha256(signed).digest())
        assert signature == f"s--{digest[:32].decode()}--"
        assert f"w_{size}" in transformation
        assert version == f"v{cloud.assets[str(photo.pk)]['version']}"


@pytest.mark.parametrize("page", ["/", "/photos/mine/", "/admin/uploads/photo/?show=all"])
def test_pages_allow_pictures_of_this_cloud_alone(cloud: Cloud, login: Any, make_user: Any, page: str) -> None:
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    policy = login(admin).get(page).headers["Content-Security-Policy"]
    assert "img-src 'self' https://res.cloudinary.com/cloud/;" in policy + ";"
    assert policy.count("cloudinary") == 1


def test_hundred_duplicates_cost_one_question(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    work()
    cloud.decide("approved", "approved")
    for _ in range(100):
        assert notify(approval(photo)).status_code == 200
    outbox.work()
    outbox.work()
    photo.refresh_from_db()
    assert photo.status == Status.APPROVED
    assert len([call for call in names(cloud) if call.startswith("resources")]) == 1


def test_webhook_before_anything_was_sent(cloud: Cloud, make_photo: MakePhoto) -> None:
    photo = make_photo()
    assert notify(approval(photo)).status_code == 200
    outbox.work()
    assert set(cloud.assets) == {str(photo.pk)}
    photo.refresh_from_db()
    assert photo.status == Status.PENDING


def test_one_pass_from_the_webhook_to_the_gallery(cloud: Cloud, client: HTTPSClient, make_photo: MakePhoto) -> None:
    photo = make_photo()
    outbox.work()
    cloud.decide("approved", "approved")
    assert outbox.work() == 0  # not due for some seconds
    notify(approval(photo))
    assert outbox.work() == 1
    assert str(photo.pk) in client.get("/").content.decode()


def test_webhook_says_nothing_in_the_log(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    for secret in ("secret", "wrong"):
        notify({"public_id": CANARY, "moderation_response": CANARY}, secret=secret, x_canary=CANARY)
        notify(f'"{CANARY}'.encode(), secret=secret)
    notify({}, x_cld_signature=CANARY)
    assert CANARY not in caplog.text + json.dumps([vars(record) for record in caplog.records], default=repr)


@pytest.mark.parametrize("size", [0, 256 * 1024, 256 * 1024 + 1, 50 * 1024**2])
def test_webhook_of_any_size_is_answered(cloud: Cloud, size: int) -> None:
    body = b'"' + b"x" * (size - 2) + b'"' if size else b""
    start = time.monotonic()
    answer = notify(body)
    assert answer.status_code == (413 if size > 256 * 1024 else 400)
    assert time.monotonic() - start < 1


def test_webhook_is_the_only_view_without_a_token(cloud: Cloud) -> None:
    from django.urls import get_resolver  # noqa: PLC0415

    def views(patterns: Any) -> Any:
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                yield from views(pattern.url_patterns)
            else:
                yield pattern.callback

    exempt = [view.__name__ for view in views(get_resolver().url_patterns) if getattr(view, "csrf_exempt", False)]
    assert exempt == ["webhook"]
    for method in ("get", "head", "options", "put", "patch", "delete", "trace"):
        assert getattr(HTTPSClient(), method)(URL).status_code == 405, method


def test_waits_grow_and_end(cloud: Cloud, make_photo: MakePhoto) -> None:
    photo, waits = make_photo(), []
    for age in (0, 30, 300, 1800, 86400):
        photo.created_at = timezone.now() - timedelta(seconds=age)
        waits.append(round((moderator.soon(photo) - timezone.now()).total_seconds()))
    assert waits == [10, 15, 150, 900, 900]


def test_refusals_are_told_apart(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    told = set()
    for fault in ("401", "403", "420 add-on", "420 limit", "500"):
        cloud.faults = [FAULTS[fault]]
        work()
        photo.refresh_from_db()
        assert photo.status == Status.PENDING
        told.add(photo.verdicts.first().detail)
    assert len(told) == 5
    assert BASE not in str(told)


def test_questions_slow_down_before_the_limit_is_reached(cloud: Cloud, make_photo: MakePhoto, work: Work) -> None:
    photo = make_photo()
    work()
    cloud.headers = {
        "X-FeatureRateLimit-Limit": "500",
        "X-FeatureRateLimit-Remaining": "10",
        "X-FeatureRateLimit-Reset": (timezone.now() + timedelta(minutes=30)).strftime("%a, %d %b %Y %H:%M:%S GMT"),
    }
    for _ in range(4):
        work()
    assert len([call for call in cloud.calls if call.startswith("GET")]) == 1
    photo.refresh_from_db()
    assert photo.due_at == client.transport.next_question > timezone.now() + timedelta(minutes=2)


def test_upload_page_does_not_need_cloudinary(cloud: Cloud, login: Login, user: User, upload: Upload) -> None:
    cloud.faults = [lambda handler: handler.reply(500, "down")]
    assert upload(login(user)).status_code == 302
    assert cloud.calls == []


def test_final_refusal_is_shown_to_reviewers_and_photos_wait(
    cloud: Cloud, login: Login, reviewer: User, make_photo: MakePhoto, work: Work
) -> None:
    photo = make_photo()
    cloud.faults = [lambda handler: handler.reply(420, {"error": {"message": "You don't have an active subscription"}})]
    work()
    photo.refresh_from_db()
    assert photo.status == Status.PENDING
    page = login(reviewer).get(f"/admin/uploads/photo/{photo.pk}/change/").content.decode()
    assert "add-on is not registered" in page
    work()
    cloud.decide("rejected", "aborted")
    work()
    photo.refresh_from_db()
    assert photo.status == Status.REJECTED


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


def test_deleted_photo_stays_deleted(cloud: Cloud, make_photo: MakePhoto) -> None:
    photo = make_photo()
    photo.discard()
    Photo.objects.update(due_at=None)
    assert notify(approval(photo)).status_code == 200
    photo.refresh_from_db()
    assert (photo.status, photo.due_at) == (Status.DELETED, None)
