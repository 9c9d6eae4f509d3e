import logging
from datetime import timedelta

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from secure_django.deletion import DeletionRefusedError, delete_user
from secure_django.jobs import job
from secure_django.logging import log_event
from secure_django.user import User

BATCH_SIZE = 100

logger = logging.getLogger(__name__)


@job(every=300)
def delete_expired() -> None:
    """Delete the IP addresses and browsers of sessions past the absolute timeout."""
    cutoff = timezone.now() - settings.SESSION_ABSOLUTE_AGE
    UserSession.objects.filter(created_at__lt=cutoff).delete()


@job(every=300)
def delete_unverified() -> bool:
    """Delete sign-ups whose email was never verified."""
    emails = EmailAddress.objects.filter(user=OuterRef("pk"))
    has_verified_email = Exists(emails.filter(verified=True))
    # Only a sign-up makes an unverified email the primary one. Users whom staff added
    # stay.
    has_primary_email = Exists(emails.filter(primary=True))
    sign_ups = User.objects.filter(has_primary_email, ~has_verified_email)
    unused = {
        "last_login": None,
        "is_staff": False,
        "is_superuser": False,
        "photos": None,
    }
    cutoff = timezone.now() - timedelta(days=settings.UNVERIFIED_ACCOUNT_DAYS)
    expired = sign_ups.filter(date_joined__lt=cutoff, **unused)
    # In random order, so that users who cannot be deleted do not block the others.
    users = expired.order_by("?")[:BATCH_SIZE]
    needed_count = 0
    for user in users:
        key = user.pk
        try:
            delete_user(user)
        except DeletionRefusedError:
            needed_count += 1
        except User.DoesNotExist:  # another worker was faster
            continue
        else:
            log_event("user_deleted", user=key, reason="email never verified")
    if needed_count:
        logger.error(
            "sign-ups not deleted: %d, since rows of others need them", needed_count
        )
    return len(users) == BATCH_SIZE and not needed_count
