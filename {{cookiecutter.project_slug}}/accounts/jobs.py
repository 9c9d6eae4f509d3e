from allauth.usersessions.models import UserSession
from django.conf import settings
from django.utils import timezone

from core.jobs import job


@job(every=300)
def delete_expired() -> None:
    """Delete the IP addresses and browsers of sessions that were started too long ago to be valid."""
    UserSession.objects.filter(created_at__lt=timezone.now() - settings.SESSION_ABSOLUTE_AGE).delete()
