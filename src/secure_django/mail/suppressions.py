"""Addresses to which no more emails are sent, since a provider has reported them.

A hard bounce means that the mailbox does not exist, and a complaint that its owner
calls the site's emails spam. A provider refuses the emails of a site that goes on.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from secure_django.models import Suppression

logger = logging.getLogger(__name__)
# How long a lifted row stays. Providers repeat a report for some hours.
LIFTED_AGE = timedelta(days=30)


def normalize(email: str) -> str:
    """Return an address in lower case, its domain in Punycode.

    Providers report an address in a spelling of their own.
    """
    address = ""
    with suppress(RecursionError):  # by many open brackets, in some releases of Python
        _, address = parseaddr(email)
    local, _, domain = (address or email).lower().rpartition("@")
    with suppress(UnicodeError):  # then it is compared as it is
        domain = domain.encode("idna").decode()
    return f"{local}@{domain}"


def hashes(email: str) -> list[str]:
    """Return the keyed hashes of an address, that of the newest SECRET_KEY first."""
    address = normalize(email)
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [
        salted_hmac(__name__, address, secret=key, algorithm="sha256") for key in keys
    ]
    return [digest.hexdigest() for digest in digests]


def rows_of(email: str) -> QuerySet[Suppression]:
    return Suppression.objects.filter(email_hash__in=hashes(email))


def find(email: str) -> Suppression | None:
    """Return why nothing is sent to an address, or None."""
    return rows_of(email).filter(lifted_at=None).first()


def block(
    email: str,
    reason: Suppression.Reason,
    provider: str,
    at: datetime | None = None,
) -> None:
    """Send nothing more to an address.

    `at` is the time of the bounce. A report from before the time at which the address
    was lifted is a repetition. A bounce does not replace a complaint.
    """
    now = timezone.now()
    moment = at or now
    if timezone.is_naive(moment):
        moment = moment.replace(tzinfo=UTC)
    moment = min(moment, now)
    fields = {
        "reason": reason,
        "provider": provider,
        "at": now,
        "lifted_at": None,
        "unsent": 0,
    }
    with transaction.atomic():
        # Reports that arrive at the same time take turns.
        row = rows_of(email).select_for_update().first()
        is_new = False
        if row is None:
            row, is_new = Suppression.objects.get_or_create(
                email_hash=hashes(email)[0], defaults=fields
            )
        if not is_new and not is_replaced(row, reason, moment):
            return
        if not is_new:
            Suppression.objects.filter(pk=row.pk).update(**fields)
    logger.warning("an address gets no more emails: %s", reason.value)


def is_replaced(row: Suppression, reason: Suppression.Reason, at: datetime) -> bool:
    """Return whether a report says more than a row that exists."""
    if row.lifted_at is not None:
        return at > row.lifted_at
    return row.reason != reason and reason == Suppression.Reason.COMPLAINT


def lift(email: str) -> bool:
    """Send to an address again, and return whether nothing more is in the way.

    Only staff lift a complaint, in the admin: whoever reported the emails as spam may
    be another reader of the mailbox than the person who asks for them.
    """
    bounces = rows_of(email).filter(lifted_at=None, reason=Suppression.Reason.BOUNCE)
    bounces.update(lifted_at=timezone.now())
    return find(email) is None


def take_out(recipients: Iterable[str]) -> list[str]:
    """Return the recipients to whom emails may be sent."""
    return [recipient for recipient in recipients if not find(recipient)]


def count_unsent(recipients: Iterable[str]) -> None:
    """Count an email that these recipients did not get."""
    for recipient in recipients:
        rows_of(recipient).update(unsent=F("unsent") + 1)


def delete_lifted() -> None:
    old = timezone.now() - LIFTED_AGE
    Suppression.objects.filter(lifted_at__lt=old).delete()
