"""Emails by the API of a provider, and what its webhook reports, both by Anymail."""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from email.message import EmailMessage as ParsedMessage
from email.utils import getaddresses
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import BadRequest, ImproperlyConfigured, PermissionDenied
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.http import HttpRequest

from secure_django.extras import importing
from secure_django.http import json_body
from secure_django.mail.suppressions import block, normalize
from secure_django.models import Suppression

with importing("secure_django.mail.providers", extra="anymail"):
    from anymail.exceptions import (
        AnymailAPIError,
        AnymailError,
        AnymailRecipientsRefused,
    )
    from anymail.signals import EventType, RejectReason
    from anymail.webhooks.mailgun import MailgunTrackingWebhookView
    from anymail.webhooks.postmark import PostmarkTrackingWebhookView

logger = logging.getLogger(__name__)
# The name before the secret in the URL of a webhook: https://webhook:SECRET@…
USER = "webhook"
# How old a signature of Mailgun may be, and how far in the future. Mailgun repeats a
# failed call for eight hours.
SIGNATURE_SECONDS = 12 * 60 * 60
# The providers write these themselves, or they are part of the body.
OWN_HEADERS = re.compile(
    r"(from|to|cc|bcc|subject|date|mime-version|content-.*)", re.IGNORECASE
)
# Answers that are about one email, after which others may be sent.
EMAIL_STATUSES = {400, 413, 422}
# Words of Anymail for a recipient.
TAKEN = {"sent", "queued"}
REFUSED = {"invalid", "rejected"}
# What malformed reports make Anymail raise.
MALFORMED = (
    *(ValueError, KeyError, TypeError, AttributeError),
    *(OverflowError, OSError, ImproperlyConfigured, AnymailError),
)
EMAIL_LENGTH = 320  # RFC 3696, section 3: 64 before the @, 255 after it
# Postmark's types of emails that came back for now, or for their content.
PASSING = {"SoftBounce", "SpamNotification"}


class UnavailableError(OSError):
    """A provider does not answer, or refuses the site itself."""


class Report(NamedTuple):
    """What a provider says about an address."""

    email: str
    reason: Suppression.Reason
    at: datetime | None


class Provider(NamedTuple):
    view: Callable[..., Any]  # of Anymail, which reads and checks a report
    options: Callable[[str], dict[str, Any]]  # the view's, for a secret
    headers: dict[str, str]  # of each email


def basic_auth(secret: str) -> dict[str, Any]:
    return {"webhook_secret": [f"{USER}:{secret}"]}


def signing_key(secret: str) -> dict[str, Any]:
    return {"webhook_secret": [], "webhook_signing_key": secret}


PROVIDERS = {
    "mailgun": Provider(MailgunTrackingWebhookView, signing_key, {}),
    "postmark": Provider(
        PostmarkTrackingWebhookView,
        basic_auth,
        # An email that is sent twice counts as one by its Message-ID.
        {"X-PM-KeepID": "true"},
    ),
}


def provider_name() -> str:
    """Return which of PROVIDERS sends the emails, or an empty text."""
    server = settings.MAILERS.get("server") or {}
    name = server.get("BACKEND", "").removeprefix("anymail.backends.")
    name = name.removesuffix(".EmailBackend")
    return name if name in PROVIDERS else ""


# Sending


def send(server: BaseEmailBackend, message: ParsedMessage, to: list[str]) -> None:
    """Send an email to some of its recipients, and block those that are refused.

    Raise the errors that a mail server has: SMTPRecipientsRefused if the provider sends
    nothing to them, SMTPResponseException if it refuses this email, and
    UnavailableError, with no text of the provider, which can name a person.
    """
    rebuilt = rebuild(message, to)
    submit(server, rebuilt, to)
    refused = refused_of(rebuilt, to)
    others = [recipient for recipient in to if recipient not in refused]
    answer = rebuilt.anymail_status
    if not answer.status & TAKEN:
        # Anymail takes this for a success, if the answer does not name all recipients.
        if not refused:
            raise error_of(answer.esp_response.status_code)
        if not others:
            raise refusal(to)
        send(server, message, others)
    for recipient in refused:  # no webhook reports them again
        block(recipient, Suppression.Reason.BOUNCE, provider_name())


def refused_of(message: Any, to: list[str]) -> list[str]:
    """Return the recipients that an answer names as refused."""
    answers = message.anymail_status.recipients.items()
    refused = {
        normalize(email) for email, answer in answers if answer.status in REFUSED
    }
    return [recipient for recipient in to if normalize(recipient) in refused]


def refusal(to: list[str]) -> SMTPRecipientsRefused:
    return SMTPRecipientsRefused({recipient: (550, b"") for recipient in to})


def error_of(status: int | None) -> Exception:
    """Return what an answer means: for this email alone, or for each one."""
    # The status alone is logged: the text can name a person.
    logger.error("the provider answers: %s", status or "nothing")
    if status in EMAIL_STATUSES:
        return SMTPResponseException(status, b"")
    return UnavailableError()


def submit(server: BaseEmailBackend, rebuilt: Any, to: list[str]) -> None:
    """Call the provider, and raise its errors as those of a mail server."""
    try:
        server.send_messages([rebuilt])
    except AnymailRecipientsRefused:
        raise refusal(to) from None
    except AnymailAPIError as error:
        raise error_of(error.status_code) from None
    except (AttributeError, KeyError, TypeError):  # Anymail expects another shape
        logger.error("the provider answers: nothing that can be read")
        raise UnavailableError from None


def rebuild(message: ParsedMessage, recipients: list[str]) -> Any:
    """Return the email that a stored one was made of, for some of its recipients.

    Each recipient in no header gets a copy of their own, if there are no others:
    Mailgun sends nothing without a `to`.
    """
    plain = message.get_body(("plain",))
    html = message.get_body(("html",))
    rest = {normalize(recipient): recipient for recipient in recipients}
    to = addressed(message, "To", rest)
    cc = addressed(message, "Cc", rest)
    hidden = list(rest.values())
    rebuilt: Any = EmailMultiAlternatives(
        subject=one_line(message["Subject"] or ""),
        body=text_of(plain) if plain else "",
        from_email=str(message["From"]),
        to=to or cc or hidden,
        cc=cc if to else [],
        bcc=hidden if to or cc else [],
        headers=headers_of(message),
    )
    if not to and not cc:
        rebuilt.merge_metadata = {}  # what Anymail calls a batch
    # Links with a token lead to the site alone.
    rebuilt.track_clicks = rebuilt.track_opens = False
    if html:
        rebuilt.attach_alternative(text_of(html), "text/html")
    for part in leaves(message):
        if part is not plain and part is not html:
            attach(rebuilt, part)
    return rebuilt


def addressed(message: ParsedMessage, header: str, rest: dict[str, str]) -> list[str]:
    """Take the recipients that a header names out of `rest`, and return them."""
    texts = [str(value) for value in message.get_all(header, [])]
    found = [normalize(address) for _, address in getaddresses(texts)]
    return [rest.pop(address) for address in found if address in rest]


def headers_of(message: ParsedMessage) -> dict[str, str]:
    provider = PROVIDERS.get(provider_name())
    own = provider.headers if provider else {}
    kept = {
        name: one_line(value)
        for name, value in message.items()
        if not OWN_HEADERS.fullmatch(name)
    }
    return kept | own


def one_line(value: object) -> str:
    """Return a header without the line breaks that its encoded words can have."""
    return re.sub(r"[\r\n]+", " ", str(value))


def text_of(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def leaves(part: Any) -> Iterator[Any]:
    """Return the parts of an email; an attached email is one of them."""
    if part.get_content_maintype() != "multipart":
        yield part
        return
    for inner in part.iter_parts():
        yield from leaves(inner)


def attach(message: EmailMultiAlternatives, part: Any) -> None:
    if part.get_content_maintype() != "message":
        message.attach(part)
        return
    content = part.get_content().as_bytes()
    message.attach(part.get_filename(), content, part.get_content_type())


# Reports


def read_reports(request: HttpRequest, secret: str) -> list[Report]:
    """Return what the call of a webhook says about addresses.

    Raise PermissionDenied if the call does not prove the secret, and BadRequest if its
    body cannot be read.
    """
    name = provider_name()
    provider = PROVIDERS[name]
    view = provider.view(**provider.options(secret))
    try:
        view.run_validators(request)
        if name == "mailgun":
            check_token(request)
    except MALFORMED:
        raise PermissionDenied from None
    try:
        return list(reports_of(view.parse_events(request)))
    except MALFORMED:
        raise BadRequest("The report is malformed") from None


def check_token(request: HttpRequest) -> None:
    """Refuse an old signature of Mailgun, and one that came with another body.

    Mailgun signs a time and a token, but not what it reports.
    """
    signature = json_body(request)["signature"]
    age = time.time() - float(signature["timestamp"])
    if not -SIGNATURE_SECONDS < age < SIGNATURE_SECONDS:
        raise PermissionDenied
    body = hashlib.sha256(request.body).hexdigest()
    # Not the token: the signature is valid wherever the time ends and the token begins.
    key = f"mailgun-{signature['signature']}"
    # For as long as the signature could be valid.
    cache.add(key, body, 2 * SIGNATURE_SECONDS)
    if cache.get(key) != body:
        raise PermissionDenied


def reports_of(events: Iterable[Any]) -> Iterator[Report]:
    for event in events:
        reason = reason_of(event)
        if reason and is_address(event.recipient):
            yield Report(event.recipient, reason, event.timestamp)


def is_address(value: Any) -> bool:
    """Return whether a value can be an address: a short text that has a hash."""
    is_short = isinstance(value, str) and len(value) <= EMAIL_LENGTH
    return is_short and value.isprintable()


def reason_of(event: Any) -> Suppression.Reason | None:
    """Return what a report means for further emails to its address."""
    details = event.esp_event.get("event-data") or event.esp_event
    if details.get("reason") == "suppress-complaint":
        return Suppression.Reason.COMPLAINT  # Mailgun has refused the email
    if details.get("Type") in PASSING:
        return None
    if event.event_type == EventType.COMPLAINED:
        return Suppression.Reason.COMPLAINT
    is_refused = event.event_type in {EventType.BOUNCED, EventType.REJECTED}
    if is_refused and event.reject_reason == RejectReason.SPAM:
        return Suppression.Reason.COMPLAINT
    is_for_good = event.reject_reason in {RejectReason.BOUNCED, RejectReason.INVALID}
    return Suppression.Reason.BOUNCE if is_refused and is_for_good else None
