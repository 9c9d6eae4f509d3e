"""The only emails to people who are not users, or to an address from a request.

The text is fixed: nobody can make the site send their own words or links.
"""

import re
import unicodedata
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.mail import EmailMessage
from django.core.validators import EmailValidator
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from secure_django.extras import importing
from secure_django.mail import suppressions
from secure_django.mail.outbox import subject_of_site
from secure_django.models import Mail
from secure_django.validators import validate_recipient
from secure_django.web.client import network_of
from secure_django.web.links import absolute_url

with importing("secure_django.mail.invitations", extra="site"):
    from allauth.account.adapter import get_adapter
    from allauth.core import ratelimit

__all__ = ["send_invitation", "to_ascii"]

# An id or a random token. A longer argument, or one with spaces, could be a sentence.
ARGUMENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Names in ACCOUNT_RATE_LIMITS.
LIMITS = ("invitation", "invitation_by_user", "invitation_by_visitor")
WITHOUT_DOTS = {"gmail.com", "googlemail.com"}  # both have the same mailboxes
validate_email = EmailValidator(allowlist=[])


class Budget(NamedTuple):
    """How many invitations may wait: in all, and from one network."""

    total: int
    network: int


# While the mail server is down, the networks of a flood use up the smaller number each.
BUDGETS = {
    Mail.Kind.INVITATION: Budget(total=1000, network=100),
    Mail.Kind.VISITOR_INVITATION: Budget(total=200, network=20),
}


def send_invitation(
    request: HttpRequest, email: str, template: str, view: str, *arguments: object
) -> bool:
    """Store an email that the worker sends after all others, those of users first.

    `template` names two files without their endings, `_subject.txt` and `_message.txt`.
    They get `project_name`, and `url`: the page of `view` with the arguments. Pass ids
    and tokens, no slug, which may be a user's words. The files are plain text, so
    nothing in them is escaped.

    Return True if the email is stored, in the caller's transaction. It is deleted only
    when the mail server has taken it, when that refuses it for good, or after five days
    (LIFETIME of secure_django.mail.outbox). Return False if the limit of the mailbox,
    the sender or the network is reached, or if too many invitations wait. Raise
    ValidationError if the email is malformed, if its local part is not ASCII, or if a
    user invites an address to which nothing more is sent, which the limits count. A
    visitor does not learn which addresses these are.
    """
    if request.method == "GET":
        raise ValueError("Send an invitation by POST: no limit counts requests by GET.")
    address = to_ascii(email)
    if not all(ARGUMENT.fullmatch(str(argument)) for argument in arguments):
        raise ValueError("An argument of the link is neither an id nor a token.")
    path = reverse(view, args=arguments)
    is_user = request.user.is_authenticated
    kind = Mail.Kind.INVITATION if is_user else Mail.Kind.VISITOR_INVITATION
    url = absolute_url(path)
    context = {"project_name": settings.SITE_NAME, "url": url}
    title = render_to_string(f"{template}_subject.txt", context).strip()
    body = render_to_string(f"{template}_message.txt", context).strip()
    message: Any = EmailMessage(subject_of_site(title), body, to=[address])
    message.kind = kind
    message.network_hash = hash_network(request)
    with transaction.atomic():
        # What may not wait does not count.
        if not may_wait(kind, message.network_hash):
            return False
        if not is_within_limits(request, address):
            return False
        is_refused = is_user and suppressions.find(address) is not None
        if not is_refused:
            message.send()
    if is_refused:  # after the transaction, which may hold the counts of the limits
        raise ValidationError(
            _("Emails to this address come back. Ask for another one."),
            code="suppressed",
        )
    return True


def hash_network(request: HttpRequest) -> str:
    """Return a keyed hash of the client's network, which is personal data."""
    network = network_of(get_adapter().get_client_ip(request))
    return salted_hmac(__name__, network, algorithm="sha256").hexdigest()


def may_wait(kind: Mail.Kind, network_hash: str) -> bool:
    """Return whether one more invitation fits into the budgets of its kind.

    No lock makes requests wait for each other. So each of those that run at the same
    time may exceed a budget by what it stores: with a thread for each request, by one
    email less than there are threads.
    """
    budget = BUDGETS[kind]
    waiting = Mail.objects.filter(kind=kind)
    if waiting.count() >= budget.total:
        return False
    return waiting.filter(network_hash=network_hash).count() < budget.network


def is_within_limits(request: HttpRequest, address: str) -> bool:
    """Count an invitation, unless the mailbox, sender or network has too many.

    Users and visitors have limits of their own, also for the mailbox. Otherwise a
    visitor could use up what users may send, on the same network or to an email.
    """
    limits = getattr(settings, "ACCOUNT_RATE_LIMITS", None) or {}
    missing = [name for name in LIMITS if not limits.get(name)]
    if missing:  # allauth would count nothing
        raise ImproperlyConfigured(f"ACCOUNT_RATE_LIMITS lacks {', '.join(missing)}.")
    action = "invitation_by_visitor"
    if request.user.is_authenticated:
        action = "invitation"
        is_sender_allowed = ratelimit.consume(request, action="invitation_by_user")
        if not is_sender_allowed:
            return False
    return bool(ratelimit.consume(request, action=action, key=mailbox(address)))


def to_ascii(email: str) -> str:
    """Return an email in lower case, its domain in Punycode, or raise ValidationError.

    Quoted names, and IP addresses, have too many spellings. They are refused, as are
    local parts that are not ASCII, such as "tım": few mail servers take them.
    """
    normalized = unicodedata.normalize("NFKC", email).lower()
    local, _, domain = normalized.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError:
        raise ValidationError(validate_email.message, code="invalid") from None
    address = f"{local}@{ascii_domain}"
    validate_email(address)
    validate_recipient(address)
    if '"' in local or "[" in domain:
        raise ValidationError(validate_email.message, code="invalid")
    return address


def mailbox(address: str) -> str:
    """Return the same text for all spellings of a mailbox."""
    local, _, domain = address.rpartition("@")
    local = local.partition("+")[0]
    if domain in WITHOUT_DOTS:
        return local.replace(".", "") + "@gmail.com"
    return f"{local}@{domain}"
