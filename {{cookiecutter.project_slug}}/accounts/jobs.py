import logging
from datetime import timedelta

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import Exists, OuterRef, ProtectedError, RestrictedError
from django.utils import timezone

from core.jobs import job
from core.logging import log_event
from users.models import User

BATCH_SIZE = 100

logger = logging.getLogger(__name__)


@job(every=300)
def delete_expired() -> None:
    """Delete the IP addresses and browsers of sessions past the absolute timeout."""
    UserSession.objects.filter(
        created_at__lt=timezone.now() - settings.SESSION_ABSOLUTE_AGE
    ).delete()


@job(every=300)
def delete_unverified() -> bool:
    """Delete sign-ups whose email was never verified."""
    emails = EmailAddress.objects.filter(user=OuterRef("pk"))
    # Only a sign-up makes an unverified email the primary one. Those of users whom
    # staff added stay.
    sign_ups = User.objects.filter(
        Exists(emails.filter(primary=True)), ~Exists(emails.filter(verified=True))
    )
    used = {
        "last_login": None,
        "is_staff": False,
        "is_superuser": False,
        "photos": None,
    }
    cutoff = timezone.now() - timedelta(days=settings.UNVERIFIED_ACCOUNT_DAYS)
    # In random order, so that those that an app needs cannot hold up the others.
    users = sign_ups.filter(date_joined__lt=cutoff, **used).order_by("?")[:BATCH_SIZE]
    needed = 0
    for user in users:
        key = user.pk
        try:
            user.delete()
        except (ProtectedError, RestrictedError):
            needed += 1
        else:
            log_event("user_deleted", user=key, reason="email never verified")
    if needed:
        logger.error("sign-ups not deleted: %d, since rows of an app need them", needed)
    return len(users) == BATCH_SIZE and not needed
