"""Emails by the API of a provider: what arrives there, and what its answers mean."""

import json
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage as ParsedMessage
from email.message import MIMEPart
from threading import Event
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives
from pytest_django import Settings

from secure_django import conf, status
from secure_django.checks import check_environment
from secure_django.conf import environment
from secure_django.mail import outbox as mail
from secure_django.mail import suppressions
from secure_django.models import Mail, Suppression
from secure_django.testing import HANG_SECONDS, Travel, in_environment
from tests.mail.provider import DOMAIN, KEY, TOKEN, Answer, Mailgun, Postmark, Stub

RECIPIENT = "owner@example.com"
PICTURE = b"\x89PNG\r\n\x1a\n\x00picture"
pytestmark = pytest.mark.usefixtures("outbox")


def use(stub: Stub, settings: Settings, url: str) -> None:
    """Let EMAIL_URL name a provider, whose address is that of a stub."""
    server = conf.email_url(url)
    server["OPTIONS"] |= stub.options()
    settings.MAILERS = settings.MAILERS | {"server": server}


@pytest.fixture(params=[Postmark, Mailgun])
def provider(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Any]:
    with request.param() as stub:
        use(stub, settings, stub.url)
        yield stub


def write(*to: str) -> None:
    """Let an email wait."""
    let_wait(EmailMultiAlternatives("Your code", "Hello!", None, to or [RECIPIENT]))


def let_wait(message: EmailMultiAlternatives) -> None:
    # allauth's emails have a kind, and go to anyone.
    vars(message).update(kind=Mail.Kind.NORMAL)
    message.send()


def run_passes() -> None:
    while mail.send_waiting():
        pass


def test_email_arrives_whole(provider: Stub) -> None:
    options: dict[str, Any] = {
        "headers": {
            "List-Unsubscribe": "<https://example.com/stop/>",
            "Auto-Submitted": "auto-generated",
        },
        "reply_to": ["Help <help@example.com>"],
    }
    message = EmailMultiAlternatives(
        "Your cödé", "Hello!\n\nABCD-ÉFGH\n", None, [f"Ann <{RECIPIENT}>"], **options
    )
    message.attach_alternative("<p>ABCD-ÉFGH</p>", "text/html")
    message.attach("übersicht.csv", "a,é\n", "text/csv")
    picture = MIMEPart()
    picture.set_content(PICTURE, "image", "png", disposition="inline", cid="<logo>")
    picture.set_param("filename", "logo.png", header="Content-Disposition")
    message.attach(picture)
    inner = ParsedMessage()
    inner["Subject"] = "Inner"
    inner.set_content("inside")
    message.attach("inner.eml", inner.as_bytes(), "message/rfc822")
    let_wait(message)
    _, _, mime = json.loads(Mail.objects.get().content)
    run_passes()
    (sent,) = provider.sent
    assert sent.to == f"Ann <{RECIPIENT}>"
    assert sent.subject == "Your cödé"
    assert sent.text == "Hello!\n\nABCD-ÉFGH\n"
    assert sent.html.strip() == "<p>ABCD-ÉFGH</p>"
    assert sent.reply_to == "Help <help@example.com>"
    assert sent.headers["List-Unsubscribe"] == "<https://example.com/stop/>"
    assert sent.headers["Auto-Submitted"] == "auto-generated"
    headers = {name.lower(): value for name, value in sent.headers.items()}
    assert f"Message-ID: {headers['message-id']}" in mime
    assert not {"date", "content-type", "mime-version", "subject"} & headers.keys()
    contents = [(content, is_inline) for _, content, is_inline in sent.files]
    assert contents[:2] == [("a,é\r\n".encode(), False), (PICTURE, True)]
    assert b"inside" in contents[2][0]
    assert sent.files[0][0] == "übersicht.csv"
    assert sent.files[2][0] == "inner.eml"
    assert not Mail.objects.exists()


@pytest.mark.control("suppressions")
def test_links_of_an_email_do_not_lead_through_the_provider(provider: Stub) -> None:
    write()
    run_passes()
    assert not provider.sent[0].is_tracked


def test_recipients_stay_what_they_are(provider: Stub) -> None:
    message = EmailMultiAlternatives(
        "Code",
        "Text",
        to=["Ann <ann@bücher.example>"],
        cc=["Bob <bob@☃.example>"],
        bcc=["hidden@example.com"],
    )
    let_wait(message)
    run_passes()
    (sent,) = provider.sent
    # In the Punycode of Django, in which a mail server would get them.
    assert sent.to == "Ann <ann@xn--bcher-kva.example>"
    assert sent.cc == "Bob <bob@xn--n3h.example>"
    assert sent.bcc == "hidden@example.com"


def test_hidden_recipients_get_a_copy_each(provider: Stub) -> None:
    hidden = ["ann@example.com", "bob@example.com"]
    let_wait(EmailMultiAlternatives("Code", "Text", None, bcc=hidden))
    let_wait(EmailMultiAlternatives("Code", "Text", None, cc=[RECIPIENT]))
    run_passes()
    assert sorted(sent.to for sent in provider.sent) == [*hidden, RECIPIENT]
    assert {sent.cc + sent.bcc for sent in provider.sent} == {""}


def test_email_of_html_alone_arrives_as_html(provider: Stub) -> None:
    message = EmailMultiAlternatives("Code", "<p>é</p>", None, [RECIPIENT])
    message.content_subtype = "html"
    let_wait(message)
    run_passes()
    (sent,) = provider.sent
    assert (sent.text, sent.html.strip()) == ("", "<p>é</p>")


@pytest.mark.control("V1.3.11")
def test_encoded_line_break_adds_no_header(provider: Stub) -> None:
    text = "=?utf-8?q?Hello=0D=0ABcc:_evil@example.com?="
    options: dict[str, Any] = {"headers": {"X-Name": text}}
    let_wait(EmailMultiAlternatives(text, "Text", None, [RECIPIENT], **options))
    run_passes()
    (sent,) = provider.sent
    assert not {"\r", "\n"} & set(sent.subject + sent.headers["X-Name"])
    assert "Bcc" not in sent.headers
    assert sent.bcc == ""


def test_plain_email_arrives_as_plain_text(provider: Stub) -> None:
    let_wait(EmailMultiAlternatives("Code", "Text é", None, [RECIPIENT]))
    run_passes()
    (sent,) = provider.sent
    assert (sent.text.strip(), sent.html, sent.files) == ("Text é", "", [])


@pytest.mark.control("V16.5.2")
@pytest.mark.parametrize(
    "answer",
    [
        Answer(401, {"ErrorCode": 10, "Message": RECIPIENT}),
        Answer(403, "Forbidden"),
        Answer(404, {"message": "Domain not found: mg.example.com"}),
        Answer(429, {"message": "Too many requests"}),
        Answer(500, {"message": "error"}),
        Answer(200, "no provider"),
        Answer(200, {}),
        Answer(200, []),
    ],
)
def test_fault_of_the_provider_or_the_site_loses_nothing(
    answer: Answer, provider: Stub, travel: Travel, caplog: pytest.LogCaptureFixture
) -> None:
    write()
    write("other@example.com")
    # The pass ends at the first of two emails, and there is none until RETRY is over.
    for number in range(mail.REFUSALS + 2):
        provider.answers = [answer] * 9
        run_passes()
        assert len(provider.requests) == number + 1
        travel(timedelta(minutes=15))
    assert Mail.objects.count() == 2
    words = "emails wait: the connection to the mail server failed"
    others = {message for message in caplog.messages if message != words}
    assert len(others) == 1
    assert others.pop().startswith("the provider answers: ")
    for secret in (RECIPIENT, TOKEN, KEY):
        assert secret not in caplog.text
    provider.answers = []
    provider.sent.clear()
    run_passes()
    assert len(provider.sent) == 2


@pytest.mark.control("V16.5.2")
@pytest.mark.parametrize("status", [400, 413, 422])
def test_refusal_of_one_email_stops_no_other_and_loses_nothing(
    status: int, provider: Stub, travel: Travel, caplog: pytest.LogCaptureFixture
) -> None:
    # An account without credit, or a sender that is not confirmed, has these too.
    refusal = Answer(status, {"ErrorCode": 405, "Message": f"Not to {RECIPIENT}"})
    write()
    provider.answers = [refusal]
    write("other@example.com")
    run_passes()
    assert [sent.to for sent in provider.sent] == ["other@example.com"]
    for _ in range(mail.REFUSALS):
        travel(timedelta(minutes=15))
        provider.answers = [refusal]
        run_passes()
    assert Mail.objects.count() == 1
    words = {"email not sent", f"the provider answers: {status}"}
    assert set(caplog.messages) == words
    assert RECIPIENT not in caplog.text
    travel(timedelta(minutes=15))
    provider.answers = []
    run_passes()
    assert not Mail.objects.exists()


def test_address_that_the_provider_refuses_gets_no_more_emails(
    settings: Settings, travel: Travel, caplog: pytest.LogCaptureFixture
) -> None:
    with Postmark() as stub:
        use(stub, settings, stub.url)
        write()
        for _ in range(mail.REFUSALS):
            stub.answers = [stub.refusal]
            run_passes()
            travel(timedelta(minutes=15))
        assert not Mail.objects.exists()
        assert "email discarded: the mail server refuses it" in caplog.messages
        assert RECIPIENT not in "".join(caplog.messages)
        assert suppressions.find(RECIPIENT)
        write()
        run_passes()
    assert len(stub.requests) == mail.REFUSALS


@pytest.mark.control("suppressions")
@pytest.mark.parametrize("bad", ["bad@example.com", "bad@bücher.example"])
def test_recipient_that_the_provider_refuses_costs_no_other_the_email(
    bad: str, settings: Settings
) -> None:
    # Anymail takes this answer for a success.
    named = suppressions.normalize(bad)
    text = f"Error parsing 'To': Illegal email domain in address '{named}'."
    with Postmark() as stub:
        use(stub, settings, stub.url)
        write(bad, RECIPIENT)
        stub.answers = [Answer(422, {"ErrorCode": 300, "Message": text})]
        run_passes()
    assert [sent.to for sent in stub.sent] == [RECIPIENT]
    assert suppressions.find(bad)
    assert not suppressions.find(RECIPIENT)


@pytest.mark.control("suppressions")
def test_recipient_whom_the_provider_leaves_out_gets_no_more_emails(
    settings: Settings,
) -> None:
    text = Postmark.refusal.content["Message"].partition("Found")[2]
    answer = {
        "To": f"{RECIPIENT}, other@example.com",
        "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d",
        "ErrorCode": 0,
        "Message": f"Message OK, but will not deliver to these{text}",
    }
    with Postmark() as stub:
        use(stub, settings, stub.url)
        write(RECIPIENT, "other@example.com")
        stub.answers = [Answer(200, answer)]
        run_passes()
    assert len(stub.requests) == 1
    assert suppressions.find(RECIPIENT)
    assert not suppressions.find("other@example.com")


def test_refusal_that_names_nobody_loses_no_email(settings: Settings) -> None:
    with Postmark() as stub:
        use(stub, settings, stub.url)
        write(RECIPIENT, "other@example.com")
        stub.answers = [Answer(422, {"ErrorCode": 406, "Message": "In other words."})]
        run_passes()
    assert Mail.objects.count() == 1
    assert not Suppression.objects.exists()


def test_address_that_is_refused_in_another_spelling_gets_no_more_emails(
    settings: Settings, travel: Travel
) -> None:
    text = "Error parsing 'To': address 'bad@xn--bcher-kva.example'."
    with Postmark() as stub:
        use(stub, settings, stub.url)
        write("bad@bücher.example")
        for _ in range(mail.REFUSALS):
            stub.answers = [Answer(422, {"ErrorCode": 300, "Message": text})]
            run_passes()
            travel(timedelta(minutes=15))
    assert not Mail.objects.exists()
    assert Suppression.objects.get().provider == "postmark"


def test_provider_that_is_away_loses_nothing(
    settings: Settings, travel: Travel, caplog: pytest.LogCaptureFixture
) -> None:
    with Postmark() as stub:
        use(stub, settings, stub.url)
    write()
    run_passes()
    assert Mail.objects.count() == 1
    with Postmark() as stub:
        use(stub, settings, stub.url)
        travel(mail.RETRY + timedelta(seconds=5))
        run_passes()
    assert [sent.to for sent in stub.sent] == [RECIPIENT]


@pytest.mark.control("V16.5.2")
def test_provider_that_does_not_answer_is_left_in_time(
    provider: Stub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.MAILERS["server"]["OPTIONS"]["timeout"] == 5
    settings.MAILERS["server"]["OPTIONS"]["timeout"] = 0.1
    is_over = Event()
    monkeypatch.setattr(provider, "take", lambda *_: is_over.wait(HANG_SECONDS))
    write()
    write()
    run_passes()
    is_over.set()
    assert len(provider.requests) == 1
    assert Mail.objects.count() == 2


def test_email_that_is_sent_twice_has_one_message_id(
    provider: Stub, travel: Travel
) -> None:
    write()
    # The provider has sent it, but its answer is lost.
    provider.answers = [Answer(200, "lost")]
    run_passes()
    travel(timedelta(minutes=1))
    run_passes()
    first, second = (
        {name.lower(): value for name, value in sent.headers.items()}
        for sent in provider.sent
    )
    assert first["message-id"] == second["message-id"]
    assert first.get("x-pm-keepid", "") == ("true" if provider.name[0] == "p" else "")


@pytest.mark.control("suppressions")
def test_blocked_recipients_are_left_out(provider: Stub) -> None:
    suppressions.block("Gone@Example.com", Suppression.Reason.BOUNCE, provider.name)
    write("gone@example.com")
    write(RECIPIENT, "Gone <gone@example.com>")
    run_passes()
    assert [sent.to for sent in provider.sent] == [RECIPIENT]
    assert not Mail.objects.exists()
    assert Suppression.objects.get().unsent == 2


def test_email_that_is_tried_again_counts_once_as_unsent(
    provider: Stub, travel: Travel
) -> None:
    suppressions.block("gone@example.com", Suppression.Reason.BOUNCE, provider.name)
    write(RECIPIENT, "gone@example.com")
    for _ in range(3):
        provider.answers = [Answer(500, {})]
        run_passes()
        travel(timedelta(minutes=15))
    assert Suppression.objects.get().unsent == 0
    provider.answers = []
    run_passes()
    assert Suppression.objects.get().unsent == 1


@pytest.mark.control("suppressions")
def test_mail_server_gets_no_email_to_a_blocked_recipient(
    mailoutbox: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    suppressions.block(RECIPIENT, Suppression.Reason.COMPLAINT, "mailgun")
    write()
    write("other@example.com")
    run_passes()
    assert [message.to for message in mailoutbox] == [["other@example.com"]]
    assert "email discarded: emails to its recipient came back" in caplog.messages
    assert RECIPIENT not in caplog.text


def test_one_variable_names_a_provider(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    path = tmp_path / "url"
    path.write_text(f"postmark://{TOKEN}\n")
    settings = in_environment(monkeypatch, EMAIL_URL="", EMAIL_URL_FILE=str(path))
    assert settings["MAILERS"] == {
        "server": {
            "BACKEND": "anymail.backends.postmark.EmailBackend",
            "OPTIONS": {
                "server_token": TOKEN,
                "timeout": 5,
                "idna_encoder": "idna2003",
            },
        },
        "default": {"BACKEND": "secure_django.mail.outbox.OutboxBackend"},
    }


@pytest.mark.parametrize(
    ("ending", "host"),
    [
        ("", "api.mailgun.net"),
        ("?region=us", "api.mailgun.net"),
        ("?region=eu", "api.eu.mailgun.net"),
    ],
)
def test_mailgun_has_two_regions(ending: str, host: str) -> None:
    assert conf.email_url(f"mailgun://{KEY}@{DOMAIN}{ending}") == {
        "BACKEND": "anymail.backends.mailgun.EmailBackend",
        "OPTIONS": {
            "api_key": KEY,
            "sender_domain": DOMAIN,
            "api_url": f"https://{host}/v3",
            "timeout": 5,
            "idna_encoder": "idna2003",
        },
    }


@pytest.mark.parametrize(
    "url",
    [
        "postmark://",
        "postmark://to ken",
        f"postmark://{TOKEN}@host",
        f"mailgun://{KEY}",
        f"mailgun://{KEY}@",
        f"mailgun://{KEY}@{DOMAIN}/other",
        f"mailgun://{KEY}@{DOMAIN}?region=mars",
        "sendgrid://key",
        "ses://key",
    ],
)
def test_malformed_or_unknown_provider_is_refused_without_its_value(url: str) -> None:
    words = r"postmark://TOKEN\b.*\bmailgun://KEY@DOMAIN\b"
    with pytest.raises(ImproperlyConfigured, match=words) as refusal:
        conf.email_url(url)
    assert TOKEN not in str(refusal.value)
    assert KEY not in str(refusal.value)


def test_provider_without_its_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "is_installed", lambda name: name != "anymail")
    with pytest.raises(ImproperlyConfigured, match="--all-extras"):
        conf.email_url(Postmark.url)
    assert conf.email_url("submission://localhost")


def test_provider_without_a_webhook_is_reported(settings: Settings) -> None:
    def ids() -> set[str | None]:
        return {message.id for message in check_environment()} - {"secure_django.I001"}

    assert ids() == set()
    settings.MAILERS = {"server": conf.email_url(Postmark.url)}
    assert ids() == {"secure_django.I002"}
    settings.EMAIL_WEBHOOK_SECRET = "0" * 32
    assert ids() == set()


@pytest.mark.parametrize("value", ["short", "0" * 19, "é" * 32, "a b" * 10])
def test_weak_or_malformed_secret_of_the_webhook_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="at least 20 letters") as refusal:
        environment.webhook_secret(value)
    assert value not in str(refusal.value)
    assert environment.webhook_secret("0" * 20)


def test_status_counts_the_addresses_that_were_blocked_within_a_day(
    travel: Travel,
) -> None:
    suppressions.block("old@example.com", Suppression.Reason.BOUNCE, "postmark")
    travel(timedelta(days=1, minutes=1))
    suppressions.block(RECIPIENT, Suppression.Reason.BOUNCE, "postmark")
    suppressions.block("lifted@example.com", Suppression.Reason.BOUNCE, "postmark")
    assert suppressions.lift("lifted@example.com")
    text = status.check_emails().text
    assert text.endswith("; addresses that were blocked within a day: 1")
