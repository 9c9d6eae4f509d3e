"""Stored times, of which a wrong clock may have written some.

A clock that runs ahead for a minute leaves times in the future. Until then, nothing may
count as new because of them, and nothing as used up.
"""

from datetime import datetime, timedelta

from django.utils import timezone

CLOCK_DIFFERENCE = timedelta(minutes=1)  # between two machines


def is_ahead(moment: datetime) -> bool:
    """Return whether a stored time is one that no machine of the site has yet."""
    return moment > timezone.now() + CLOCK_DIFFERENCE
