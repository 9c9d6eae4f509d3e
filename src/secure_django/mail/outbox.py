"""Emails wait in the database until the worker sends them.

No response depends on the mail server, and no email is lost.
"""

import json
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes, policy
from email.utils import getaddresses
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage, mailers  # noqa: TID251  # the worker sends
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.console import EmailBackend
from django.utils import timezone

from secure_django.mail import suppressions
from secure_django.models import Mail, Suppression

logger = logging.getLogger(__name__)
# How many emails of a kind may wait. A flood discards the oldest emails of its own
# kind, and delays no other kind. Invitations are refused instead:
# secure_django/mail/invitations.py.
BUDGETS = {Mail.Kind.UNVERIFIED: 200, Mail.Kind.UNKNOWN: 100}
# Of emails without one of their own. A mail server may be down over long holidays: the
# servers of others also try for four to five days (RFC 5321, section 4.5.4.1).
LIFETIME = timedelta(days=5)
# Longer than sending one email takes. Then another worker sends the emails that a dead
# worker had claimed.
CLAIM = timedelta(minutes=1)
RETRY = timedelta(seconds=10)  # after a failed connection
PASS_SECONDS = 1
REFUSALS = 5  # until an email is discarded: some servers refuse it at first
# Errors of one email, after which the connection still works.
EMAIL_ERRORS = (SMTPRecipientsRefused, SMTPResponseException, ValueError)


def subject_of_site(title: str) -> str:
    """Return the subject of an email: its title after the name of the site."""
    return f"[{settings.SITE_NAME}] {title}"


class UnknownRecipientError(Exception):
    """An email is addressed to a person who is not a user of the site."""


def check_recipients(message: EmailMessage) -> None:
    """Refuse an email to anyone but users and the site's own team.

    An email with a `kind` is from allauth, or an invitation: both have limits.
    """
    if hasattr(message, "kind"):
        return
    recipients = {str(recipient) for recipient in message.recipients()}
    # A user's email may have quotes, which getaddresses() would change.
    emails = {email for _, email in getaddresses(without_users(recipients))}
    team = [*settings.ADMINS, *settings.MANAGERS, settings.SECURITY_CONTACT]
    emails_of_team = {email.lower() for email in team}
    strangers = {email for email in emails if email.lower() not in emails_of_team}
    if without_users(strangers):
        raise UnknownRecipientError(
            "A recipient is not a user: write to users only, or call send_invitation of"
            " secure_django.mail, which sends a fixed text with limits."
        )


def without_users(emails: set[str]) -> set[str]:
    """Return the emails that no user has, as written or in lower case."""
    users = get_user_model()
    field = users.get_email_field_name()
    spellings = emails | {email.lower() for email in emails}
    found = users._default_manager.filter(**{f"{field}__in": spellings})
    known = set(found.values_list(field, flat=True))
    return {email for email in emails if known.isdisjoint({email, email.lower()})}


class OutboxBackend(BaseEmailBackend):
    """Store emails in the caller's transaction.

    An email to recipients who are not users has a `kind`; it may have a `lifetime`
    and a `network_hash`.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            check_recipients(message)
            store_message(message)
        return len(email_messages)


def store_message(message: EmailMessage) -> None:
    # Stored with its Message-ID: an email that is sent twice counts as one.
    mime = message.message(policy=policy.SMTP).as_bytes()
    parts = [message.from_email, message.recipients(), mime.decode("latin-1")]
    now = timezone.now()
    Mail.objects.create(
        kind=getattr(message, "kind", Mail.Kind.NORMAL),
        content=json.dumps(parts),
        due_at=now,
        expires_at=now + getattr(message, "lifetime", LIFETIME),
        network_hash=getattr(message, "network_hash", ""),
    )


class StoredMessage(EmailMessage):
    def __init__(self, content: str) -> None:
        sender, recipients, self.mime = json.loads(content)
        super().__init__(from_email=sender, to=recipients)

    def message(self, *, policy: Any = policy.SMTP) -> Any:
        return message_from_bytes(self.mime.encode("latin-1"), policy=policy)


def has_provider() -> bool:
    """Return whether the API of a provider sends the emails, by Anymail."""
    server = getattr(settings, "MAILERS", {}).get("server") or {}
    return str(server.get("BACKEND", "")).startswith("anymail.")


def send_waiting() -> bool:
    """Send emails for a second, by kind, and return whether more are due."""
    if not Mail.objects.exists():
        return False
    discard_emails()
    Mail.objects.correct_times()
    if not Mail.objects.due(CLAIM).exists():
        return False
    end = time.monotonic() + PASS_SECONDS
    is_connected = False
    try:
        with mailers["server"] as server:
            is_connected = True
            while time.monotonic() < end:
                mails = Mail.objects.order_by("kind").claim(1, CLAIM)
                if not mails:
                    break
                send_claimed(server, mails[0])
    except OSError:
        logger.exception("emails wait: the connection to the mail server failed")
        if not is_connected or has_provider():  # which has no lasting connection
            Mail.objects.due(CLAIM).update(due_at=timezone.now() + RETRY)
    return Mail.objects.due(CLAIM).exists()


def discard_emails() -> None:
    """Delete emails that have expired, and those over the budgets."""
    expired = Mail.objects.filter(expires_at__lte=timezone.now())
    expired.filter(kind=Mail.Kind.UNKNOWN).delete()
    number, _ = expired.delete()
    if number:
        logger.error("emails expired: %d", number)
    for kind, budget in BUDGETS.items():
        mails = Mail.objects.filter(kind=kind)
        newest_first = mails.order_by("-pk").values_list("pk", flat=True)
        for newest_surplus in newest_first[budget : budget + 1]:
            number, _ = mails.filter(pk__lte=newest_surplus).delete()
            logger.error(
                "emails discarded: %d of kind %s, since too many wait",
                number,
                kind.name,
            )


def send_claimed(server: BaseEmailBackend, mail: Mail) -> None:
    """Send a claimed email.

    A failed email is rescheduled, or deleted if the server refuses it for good. An
    error that ends the connection is raised.
    """
    try:
        message = StoredMessage(mail.content)
        recipients = message.to
        message.to = suppressions.take_out(recipients)
        if message.to:
            send_message(server, message)
        else:
            logger.warning("email discarded: emails to its recipient came back")
    except BaseException as error:  # of any class: a mail backend may be a team's own
        if mail.attempts >= REFUSALS and is_final(error):
            mail.delete()
            logger.error("email discarded: the mail server refuses it")
            report_refused(error)
            return
        Mail.objects.reschedule(mail, mail.next_attempt())
        Mail.objects.keep_claim([mail], None)
        if not isinstance(error, EMAIL_ERRORS):
            raise
        logger.exception("email not sent")
    else:
        mail.delete()
        suppressions.count_unsent(set(recipients) - set(message.to))


def send_message(server: BaseEmailBackend, message: StoredMessage) -> None:
    if not has_provider():
        server.send_messages([message])
        return
    from secure_django.mail import providers

    providers.send(server, message.message(), message.to)


def report_refused(error: BaseException) -> None:
    """Tell the recipients whom a provider refuses: no webhook reports them again.

    The answer of a mail server is not kept. It can be about the site.
    """
    if not has_provider() or not isinstance(error, SMTPRecipientsRefused):
        return
    from secure_django.mail import providers

    name = providers.provider_name()
    for recipient in error.recipients:
        suppressions.block(recipient, Suppression.Reason.BOUNCE, name)


def is_final(error: BaseException) -> bool:
    """Return whether the server refuses the recipients or the email for good.

    A refusal of the site itself, such as of its password, does not count.
    """
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    # The key that decrypts the email is missing on this machine.
    if isinstance(error, json.JSONDecodeError):
        return False
    if isinstance(error, SMTPDataError):
        return error.smtp_code >= 500
    return isinstance(error, ValueError)


class ConsoleBackend(EmailBackend):
    """Print the text alone: Django would print the encoded message, with its HTML."""

    def write_message(self, message: Any) -> None:
        check_recipients(message)
        lines = [
            f"From: {message.from_email}",
            f"To: {', '.join(message.to)}",
            f"Subject: {message.subject}",
            "",
            message.body.strip(),
            "-" * 79,
        ]
        self.stream.write("\n".join(lines) + "\n")
