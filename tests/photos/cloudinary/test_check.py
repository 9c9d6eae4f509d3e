"""The command that checks the keys, the add-ons and the webhook of Cloudinary."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from pytest_django import Settings

from secure_django.photos.cloudinary import client, environment
from secure_django.photos.cloudinary.management.commands import cloudinary_check
from secure_django.web.links import absolute_url
from tests.photos.cloudinary.stub import Cloud, Handler, Notify, approval

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def service(
    cloud: Cloud, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    """Let the service decide while the command waits."""
    settings.CLOUDINARY_MODERATION = ["aws_rek"]
    cloud.moderation = [{"kind": "aws_rek", "status": "pending"}]
    monkeypatch.setattr(cloudinary_check, "POLL_SECONDS", 0)
    yield cloud
    assert not cloud.assets


def decide(cloud: Cloud, status: str) -> Any:
    """Return a fault that answers an upload with a verdict."""

    def answer(handler: Handler) -> None:
        cloud.moderation = [{"kind": "aws_rek", "status": status}]
        handler.upload(handler.fields())

    return answer


def skip(handler: Handler) -> None:
    """Answer the first call, which checks the key."""
    handler.reply(200, {"resources": []})


def run_check(capsys: pytest.CaptureFixture[str], seconds: int = 5) -> tuple[bool, str]:
    try:
        call_command("cloudinary_check", seconds=seconds)
    except CommandError:
        output = capsys.readouterr().out
        assert "automatically" not in output, "nothing repeats the command's calls"
        assert "continues" not in output
        return False, output
    return True, capsys.readouterr().out


def test_everything_works(
    service: Cloud,
    notify: Notify,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upload = client.upload

    def upload_and_notify(public_id: str, *args: Any) -> Any:
        answer = upload(public_id, *args)
        notify(approval(public_id))
        return answer

    monkeypatch.setattr(client, "upload", upload_and_notify)
    service.faults = [skip, decide(service, "approved")]
    is_fine, output = run_check(capsys)
    assert is_fine
    assert output.splitlines() == [
        "ok   key: Cloudinary accepts it",
        "ok   add-on aws_rek: answers approved",
        "ok   webhook: a notification arrived",
    ]
    assert len(service.uploads) == 1


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "BAD  key: Cloudinary rejects the API key"),
        (403, "BAD  key: The API key lacks a permission."),
        (404, "BAD  key: Cloudinary does not know this cloud name."),
        (
            429,
            (
                "BAD  plan: Cloudinary's rate limit is reached."
                " Run this command again in an hour.\n"
            ),
        ),
        (
            500,
            (
                "BAD  key: Cloudinary cannot be reached or has an internal error."
                " Run this command again later.\n"
            ),
        ),
    ],
)
def test_wrong_key_and_plan_are_named(
    service: Cloud, capsys: pytest.CaptureFixture[str], status: int, advice: str
) -> None:
    service.faults = [lambda handler: handler.reply(status, {"error": {}})]
    is_fine, output = run_check(capsys)
    assert not is_fine
    assert output.startswith(advice)
    assert not service.uploads


def test_missing_add_on_is_named(
    service: Cloud, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.CLOUDINARY_MODERATION = ["aws_rek", "perception_point", "manual"]
    service.faults = [skip, lambda handler: handler.reply(420, {"error": {}})]
    is_fine, output = run_check(capsys, seconds=0)
    assert not is_fine
    assert "BAD  add-on aws_rek: Cloudinary rejects this moderation" in output
    assert "BAD  add-on perception_point: no verdict yet." in output
    assert "manual" not in output


def test_moderation_that_cloudinary_gives_up_is_named(
    service: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    service.faults = [skip, decide(service, "aborted")]
    is_fine, output = run_check(capsys, seconds=0)
    assert not is_fine
    assert "BAD  add-on aws_rek: Cloudinary gave up. Its console says why" in output


def test_answer_that_cannot_be_read_is_named(
    service: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    service.faults = [skip, lambda handler: handler.reply(200, {"public_id": "other"})]
    is_fine, output = run_check(capsys, seconds=0)
    assert not is_fine
    assert output.splitlines()[1] == (
        "BAD  add-on aws_rek: Cloudinary's answer cannot be read."
        " Run this command again later."
    )


def test_webhook_that_is_not_reached_is_named(
    service: Cloud, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    service.faults = [skip, decide(service, "rejected")]
    is_fine, output = run_check(capsys, seconds=0)
    assert not is_fine
    assert "ok   add-on aws_rek: answers rejected" in output
    url = absolute_url("/webhooks/cloudinary/")
    assert f"BAD  webhook: no notification arrived at {url}." in output


def test_check_needs_cloudinary_url(settings: Settings) -> None:
    settings.CLOUDINARY = environment.url("")
    with pytest.raises(CommandError, match="CLOUDINARY_URL is not set"):
        call_command("cloudinary_check")


def test_webhook_goes_to_this_site(settings: Settings) -> None:
    settings.SITE_URL = "https://staging.example.com"
    path = reverse("cloudinary_webhook")
    assert client.notification_url() == f"https://staging.example.com{path}"
