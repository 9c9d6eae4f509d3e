"""Emails: who gets them, and whose words."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from secure_django.guard.advice import ADVICE
from secure_django.guard.attempts import Attempt
from secure_django.guard.typed import OUTSIDER, PASSWORD, TEXT, WORD
from secure_django.guard.users import EMAIL, HAS_EMAIL, User, email_of

INVITE = ADVICE.invite


def weaknesses(attempt: Attempt) -> Iterator[str]:
    for message in attempt.answer.mails:
        yield from faults_of_message(message)
        yield from bad_recipients(attempt, message)
        yield from shown_recipients(message)
        yield from leaks(attempt, message)


def faults_of_message(message: Any) -> Iterator[str]:
    if message.from_email not in {None, settings.DEFAULT_FROM_EMAIL}:
        yield "sends an email in a user's name: use reply_to"
    if PASSWORD in text_of(message):
        yield "sends a password by email: it stays in the inbox"
    alternatives = getattr(message, "alternatives", ())
    if any(TEXT in str(alternative[0]) for alternative in alternatives):
        yield "sends HTML with unescaped text: render a template"


def bad_recipients(attempt: Attempt, message: Any) -> Iterator[str]:
    recipients = message.recipients()
    has_words = WORD in text_of(message).lower()
    if has_words and attempt.typed_emails().intersection(recipients):
        yield f"sends a user's words to an address from a request: {INVITE}"
    is_invitation = any("invitation" in key for key in attempt.answer.limits)
    is_said = is_invitation or attempt.answer.noticed
    if OUTSIDER in recipients and not is_said:
        yield f"sends an email to any address without its limits: {INVITE}"


def shown_recipients(message: Any) -> Iterator[str]:
    """Yield a fault if users see each other's addresses: they are to or cc, not bcc."""
    visible = {*message.to, *message.cc}
    users = User._base_manager.filter(**{f"{EMAIL}__in": visible}) if HAS_EMAIL else ()
    if len(users) > 1:
        yield "shows the recipients of an email to each other: send one to each"


def leaks(attempt: Attempt, message: Any) -> Iterator[str]:
    for mark in attempt.shown(text_of(message), attempt.hidden):
        holder = User._base_manager.get(pk=mark.holder)
        if message.recipients() != [email_of(holder)]:
            yield f"sends {mark.label} to others"


def text_of(message: Any) -> str:
    parts = [message.subject, message.body, message.attachments]
    alternatives = getattr(message, "alternatives", "")
    return f"{parts}{alternatives}"
