"""The only emails to people who are not users, or to an address from a request.

The text is fixed: nobody can make the site send their own words or links.
"""

import re
import unicodedata
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.mail import EmailMessage
from django.core.validators import EmailValidator
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from secure_django.extras import importing
from secure_django.mail.outbox import subject_of_site
from secure_django.models import Mail
from secure_django.web.links import absolute_url

with importing("secure_django.mail.invitations", extra="site"):
    from allauth.core import ratelimit

__all__ = ["send_invitation", "to_ascii"]

# An id or a random token. A longer argument, or one with spaces, could be a sentence.
ARGUMENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
LIMITS = ("invitation", "invitation_by_user")  # of ACCOUNT_RATE_LIMITS
WITHOUT_DOTS = {"gmail.com", "googlemail.com"}  # both have the same mailboxes
validate_email = EmailValidator(allowlist=[])


def send_invitation(
    request: HttpRequest, email: str, template: str, view: str, *arguments: object
) -> bool:
    """Store an email that the worker sends after all others.

    `template` names two files without their endings, `_subject.txt` and `_message.txt`.
    They get `project_name`, and `url`: the page of `view` with the arguments. Pass ids
    and tokens, no slug, which may be a user's words. The files are plain text, so
    nothing in them is escaped. Return False if the limit of the mailbox, the sender or
    the network is reached. Raise ValidationError if the email is malformed.
    """
    if request.method == "GET":
        raise ValueError("Send an invitation by POST: no limit counts requests by GET.")
    address = to_ascii(email)
    if not all(ARGUMENT.fullmatch(str(argument)) for argument in arguments):
        raise ValueError("An argument of the link is neither an id nor a token.")
    path = reverse(view, args=arguments)
    if not is_within_limits(request, address):
        return False
    url = absolute_url(path)
    context = {"project_name": settings.SITE_NAME, "url": url}
    title = render_to_string(f"{template}_subject.txt", context).strip()
    body = render_to_string(f"{template}_message.txt", context).strip()
    message: Any = EmailMessage(subject_of_site(title), body, to=[address])
    message.kind = Mail.Kind.INVITATION
    message.send()
    return True


def is_within_limits(request: HttpRequest, address: str) -> bool:
    """Count an invitation, unless the mailbox, sender or network has too many.

    Visitors count by network, so that none uses up what others may send.
    """
    limits = getattr(settings, "ACCOUNT_RATE_LIMITS", None) or {}
    missing = [name for name in LIMITS if not limits.get(name)]
    if missing:  # allauth would count nothing
        raise ImproperlyConfigured(f"ACCOUNT_RATE_LIMITS lacks {', '.join(missing)}.")
    if request.user.is_authenticated:
        is_sender_allowed = ratelimit.consume(request, action="invitation_by_user")
        if not is_sender_allowed:
            return False
    return bool(ratelimit.consume(request, action="invitation", key=mailbox(address)))


def to_ascii(email: str) -> str:
    """Return an email in lower case, its domain in Punycode, or raise ValidationError.

    Quoted and encoded names, and IP addresses, have too many spellings. They are
    refused.
    """
    normalized = unicodedata.normalize("NFKC", email).lower()
    local, _, domain = normalized.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError:
        raise ValidationError(validate_email.message, code="invalid") from None
    address = f"{local}@{ascii_domain}"
    validate_email(address)
    is_encoded = '"' in local or "=?" in local
    if is_encoded or "[" in domain:
        raise ValidationError(validate_email.message, code="invalid")
    return address


def mailbox(address: str) -> str:
    """Return the same text for all spellings of a mailbox."""
    local, _, domain = address.rpartition("@")
    local = local.partition("+")[0]
    if domain in WITHOUT_DOTS:
        return local.replace(".", "") + "@gmail.com"
    return f"{local}@{domain}"
