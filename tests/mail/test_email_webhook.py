"""The webhook of a provider: whose emails stop, and which calls are refused."""

import json
import logging
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from secure_django import conf
from secure_django.mail import suppressions
from secure_django.mail.views import MAX_BYTES
from secure_django.models import Suppression
from secure_django.testing import HTTPSClient
from tests.mail.provider import (
    SECRET,
    Mailgun,
    Postmark,
    basic,
    iso_time,
    mailgun_bounce,
    mailgun_complaint,
    postmark_bounce,
    postmark_complaint,
    sign_mailgun,
)

WEBHOOK = "/webhooks/email/"
EMAIL = "owner@example.com"
BOUNCE = Suppression.Reason.BOUNCE
COMPLAINT = Suppression.Reason.COMPLAINT
LONG_ADDRESS = "(" * 400 + "a@b.com"
# No reader of JSON takes them.
NO_TEXTS = ["\ud800@example.com", "a@\ud800.com", "a\0@b.com"]
pytestmark = pytest.mark.django_db


def choose(settings: Settings, url: str) -> None:
    settings.MAILERS = {"server": conf.email_url(url)}
    settings.EMAIL_WEBHOOK_SECRET = SECRET


@pytest.fixture
def postmark(settings: Settings) -> None:
    choose(settings, Postmark.url)


@pytest.fixture
def mailgun(settings: Settings) -> None:
    choose(settings, Mailgun.url)


def post(body: Any, content_type: str = "application/json", **headers: str) -> int:
    """Return the status of a call."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    client = HTTPSClient(enforce_csrf_checks=True)
    response = client.post(WEBHOOK, content, content_type=content_type, headers=sent)
    if response.status_code not in {400, 404}:
        assert response.content == b""
    return int(response.status_code)


def call_postmark(body: Any, **headers: str) -> int:
    return post(body, **{"authorization": basic("webhook", SECRET)} | headers)


def call_mailgun(data: Any, **options: Any) -> int:
    return post(sign_mailgun(data, **options))


def reason() -> str | None:
    found = suppressions.find(EMAIL)
    return found.reason if found else None


@pytest.mark.control("suppressions")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (postmark_bounce(EMAIL), BOUNCE),
        (postmark_bounce("Owner@EXAMPLE.com"), BOUNCE),
        (postmark_bounce(EMAIL, "BadEmailAddress"), BOUNCE),
        (postmark_complaint(EMAIL), COMPLAINT),
        (
            {
                "RecordType": "SubscriptionChange",
                "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
                "ServerID": 123456,
                "MessageStream": "outbound",
                "ChangedAt": iso_time(),
                "Recipient": EMAIL,
                "Origin": "Recipient",
                "SuppressSending": True,
                "SuppressionReason": "HardBounce",
                "Tag": "",
                "Metadata": {},
            },
            BOUNCE,
        ),
        # What passes, and what is about the site or the text.
        (postmark_bounce(EMAIL, "SoftBounce"), None),
        (postmark_bounce(EMAIL, "Transient"), None),
        (postmark_bounce(EMAIL, "DnsError"), None),
        (postmark_bounce(EMAIL, "SpamNotification"), None),
        (postmark_bounce(EMAIL, "Blocked"), None),
        (postmark_bounce(EMAIL, "AutoResponder"), None),
        (postmark_bounce(EMAIL, "NewWord"), None),
        (postmark_bounce(EMAIL, RecordType="Delivery"), None),
        (postmark_bounce(EMAIL, RecordType="NewWord"), None),
        (postmark_bounce(EMAIL, Email=None), None),
        (postmark_bounce(EMAIL, Email=["owner@example.com"]), None),
        (postmark_bounce(LONG_ADDRESS), None),
        ({"RecordType": "Delivery", "Recipient": EMAIL}, None),
        ({}, None),
    ],
)
def test_postmark_reports_stop_emails(
    body: Any, expected: str | None, postmark: None
) -> None:
    assert call_postmark(body) == 200
    assert reason() == expected


@pytest.mark.control("suppressions")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (mailgun_bounce(EMAIL), BOUNCE),
        (mailgun_bounce(EMAIL, reason="suppress-bounce"), BOUNCE),
        (mailgun_bounce(EMAIL, reason="suppress-complaint"), COMPLAINT),
        (mailgun_complaint(EMAIL), COMPLAINT),
        (mailgun_bounce(EMAIL, severity="temporary"), None),
        (mailgun_bounce(EMAIL, reason="generic"), None),
        (mailgun_bounce(EMAIL, reason="suppress-unsubscribe"), None),
        (mailgun_bounce(EMAIL, event="delivered", reason=""), None),
        (mailgun_bounce(EMAIL, event="new-word", reason=""), None),
    ],
)
def test_mailgun_reports_stop_emails(
    data: Any, expected: str | None, mailgun: None
) -> None:
    assert call_mailgun(data) == 200
    assert reason() == expected


@pytest.mark.control("suppressions")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": ""}, 401),
        ({"authorization": basic("webhook", "guess")}, 401),
        ({"authorization": basic("other", SECRET)}, 401),
        ({"authorization": basic("webhook", SECRET + "0")}, 401),
        ({"authorization": basic("webhook", "é")}, 401),
        ({"authorization": f"Basic {SECRET}"}, 401),
        ({"authorization": f"Bearer {SECRET}"}, 401),
        ({"content_length": str(MAX_BYTES + 1)}, 413),
        ({"content_length": "many"}, 400),
        ({"content_length": ""}, 400),
    ],
)
def test_forged_call_in_the_name_of_postmark_is_refused(
    headers: Any, expected: int, postmark: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert call_postmark(postmark_bounce(EMAIL), **headers) == expected
    assert ("authn_webhook_fail" in caplog.messages) is (expected == 401)
    assert not Suppression.objects.exists()


@pytest.mark.control("suppressions")
@pytest.mark.parametrize(
    "options", [{"secret": "guess"}, {"age": 13 * 3600}, {"age": -13 * 3600}]
)
def test_forged_call_in_the_name_of_mailgun_is_refused(
    options: Any, mailgun: None
) -> None:
    assert call_mailgun(mailgun_bounce(EMAIL), **options) == 401
    assert not Suppression.objects.exists()


@pytest.mark.control("suppressions")
def test_signature_of_mailgun_is_valid_for_one_body(mailgun: None) -> None:
    seen = sign_mailgun(mailgun_bounce("other@example.com"))
    forged = seen | {"event-data": mailgun_bounce(EMAIL)}
    assert post(seen) == 200
    assert post(forged) == 401
    assert post(seen) == 200  # Mailgun repeats a call
    assert reason() is None


@pytest.mark.control("suppressions")
def test_token_of_mailgun_that_lends_digits_to_the_time_is_known(mailgun: None) -> None:
    data = mailgun_bounce("other@example.com")
    seen = sign_mailgun(data, token="e0" + "0123456789abcdef" * 3)
    assert post(seen) == 200
    signature = dict(seen["signature"])
    # The same text is signed, and the same time, as Python reads numbers.
    signature["timestamp"] += "e0"
    signature["token"] = signature["token"].removeprefix("e0")
    forged = {"signature": signature, "event-data": mailgun_bounce(EMAIL)}
    assert post(forged) == 401
    assert reason() is None


@pytest.mark.control("suppressions")
@pytest.mark.parametrize("provider", ["postmark", "mailgun"])
@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[]", b"\xff", b"null", b"7", b'"text"', b"[" * 100_000),
        *(b'{"signature": NaN}', b'{"signature": {}, "signature": {}}'),
        b'{"signature": {"token": "\xc3\xa9", "timestamp": "1", "signature": "\xc3"}}',
        *(postmark_bounce(email) for email in NO_TEXTS),
    ],
)
def test_malformed_call_is_refused(
    provider: str, body: Any, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(provider)
    assert post(body) == 400
    assert call_postmark(body) == 400


@pytest.mark.control("suppressions")
@pytest.mark.parametrize("provider", ["postmark", "mailgun"])
@pytest.mark.parametrize("signature", [None, [], {"token": 1}, {"timestamp": "é"}])
def test_call_with_a_malformed_signature_is_refused(
    provider: str, signature: Any, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(provider)
    assert post({"signature": signature}) == 401


@pytest.mark.parametrize(
    "data",
    [
        mailgun_bounce(EMAIL, timestamp=1e300),
        mailgun_bounce(EMAIL, timestamp="soon"),
        mailgun_bounce(EMAIL, message=[]),
        *({}, [], None, "text"),
    ],
)
def test_malformed_report_of_mailgun_is_refused(data: Any, mailgun: None) -> None:
    assert call_mailgun(data) == 400


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", ""])
def test_other_forms_of_calls_are_refused(kind: str, postmark: None) -> None:
    authorization = basic("webhook", SECRET)
    body = postmark_bounce(EMAIL)
    assert post(body, kind, authorization=authorization) == 400


@pytest.mark.control("suppressions")
def test_there_is_no_webhook_without_a_secret_or_a_provider(settings: Settings) -> None:
    choose(settings, "submission://localhost")
    assert call_postmark(postmark_bounce(EMAIL)) == 404
    choose(settings, Postmark.url)
    settings.EMAIL_WEBHOOK_SECRET = ""
    for password in ("", SECRET):
        authorization = basic("webhook", password)
        assert call_postmark({}, authorization=authorization) == 404
    choose(settings, Mailgun.url)
    settings.EMAIL_WEBHOOK_SECRET = ""
    assert call_mailgun(mailgun_bounce(EMAIL), secret="") == 404


def test_webhook_of_a_provider_that_the_site_does_not_know_answers_nothing(
    settings: Settings,
) -> None:
    choose(settings, Postmark.url)
    settings.MAILERS["server"]["BACKEND"] = "anymail.backends.sparkpost.EmailBackend"
    assert call_postmark(postmark_bounce(EMAIL)) == 404


@pytest.mark.control("V3.5.1")
def test_webhook_of_emails_accepts_post_only(
    client: HTTPSClient, postmark: None
) -> None:
    assert reverse("email_webhook") == WEBHOOK
    for method in ("get", "head", "options", "put"):
        assert getattr(client, method)(WEBHOOK).status_code == 405


def test_repeated_reports_change_nothing(postmark: None) -> None:
    for _ in range(3):
        assert call_postmark(postmark_bounce(EMAIL)) == 200
    row = Suppression.objects.get()
    assert (row.reason, row.provider) == (BOUNCE, "postmark")
    call_postmark(postmark_complaint(EMAIL))
    call_postmark(postmark_bounce(EMAIL))
    row.refresh_from_db()
    assert row.reason == COMPLAINT


def test_report_from_before_the_address_was_lifted_changes_nothing(
    postmark: None,
) -> None:
    report = postmark_bounce(EMAIL, BouncedAt=iso_time(60))
    call_postmark(report)
    assert suppressions.lift(EMAIL)
    call_postmark(report)
    assert reason() is None
    call_postmark(postmark_bounce(EMAIL, BouncedAt=iso_time(-5)))
    assert reason() == BOUNCE


@pytest.mark.parametrize("offset", ["Z", "+14:00", "-12:00", ""])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_time_of_a_report_is_the_sites_own(
    day: str, offset: str, postmark: None
) -> None:
    report = postmark_bounce(EMAIL, BouncedAt=f"{day}T12:00:00{offset}")
    assert call_postmark(report) == 200
    age = timezone.now() - Suppression.objects.get().at
    assert timedelta() <= age < timedelta(minutes=5)
    assert suppressions.lift(EMAIL)
    assert call_postmark(report) == 200


def test_address_is_found_in_each_spelling_and_is_not_stored(mailgun: None) -> None:
    call_mailgun(mailgun_bounce("Ann@bücher.example"))
    assert suppressions.find("ann@xn--bcher-kva.example")
    assert suppressions.find("Ann <ANN@Bücher.example>")
    assert suppressions.find("bob@bücher.example") is None
    values = [str(value) for value in Suppression.objects.values_list()[0]]
    assert not any("cher" in value or "ann" in value.lower() for value in values)


def test_address_is_found_during_a_rotation_of_the_key(
    settings: Settings, postmark: None
) -> None:
    old_key = settings.SECRET_KEY
    call_postmark(postmark_bounce(EMAIL))
    settings.SECRET_KEY = "another" * 9
    assert reason() is None
    settings.SECRET_KEY_FALLBACKS = [old_key]
    assert reason() == BOUNCE
    call_postmark(postmark_bounce(EMAIL))
    assert Suppression.objects.count() == 1


def test_lifted_addresses_are_forgotten_after_a_month() -> None:
    for age, name in ((29, "new"), (31, "old")):
        suppressions.block(f"{name}@example.com", BOUNCE, "postmark")
        moment = timezone.now() - timedelta(days=age)
        rows = suppressions.rows_of(f"{name}@example.com")
        rows.update(lifted_at=moment)
    suppressions.block(EMAIL, BOUNCE, "postmark")
    suppressions.delete_lifted()
    assert Suppression.objects.count() == 2
    assert reason() == BOUNCE


@pytest.mark.parametrize("provider", ["postmark", "mailgun"])
@pytest.mark.django_db(transaction=True)
def test_report_arrives_over_http_behind_a_proxy(
    provider: str, request: pytest.FixtureRequest, live_server: Any, settings: Settings
) -> None:
    request.getfixturevalue(provider)
    settings.TRUSTED_PROXY_COUNT = 1
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    body = postmark_bounce(EMAIL)
    if provider == "mailgun":
        body = sign_mailgun(mailgun_bounce(EMAIL))
    headers = {
        "Content-Type": "application/json",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
    }
    forged = basic("webhook", "guess") if provider == "postmark" else ""
    proved = basic("webhook", SECRET) if provider == "postmark" else ""
    changed = json.dumps(body | {"signature": None})
    assert exchange(live_server, changed, headers | {"Authorization": forged}) == 401
    assert reason() is None
    sent = json.dumps(body)
    assert exchange(live_server, sent, headers | {"Authorization": proved}) == 200
    assert reason() == BOUNCE


def exchange(server: Any, body: str, headers: dict[str, str]) -> int:
    connection = HTTPConnection(server.thread.host, server.thread.port, timeout=60)
    connection.request("POST", WEBHOOK, body, headers)
    status = connection.getresponse().status
    connection.close()
    return status
