from datetime import timedelta

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from core.jobs import job
from core.logging import log_event
from users.models import User

BATCH_SIZE = 100


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
    users = sign_ups.filter(date_joined__lt=cutoff, **used)[:BATCH_SIZE]
    for user in users:
        log_event("user_deleted", user=user.pk, reason="email never verified")
        user.delete()
    return len(users) == BATCH_SIZE
