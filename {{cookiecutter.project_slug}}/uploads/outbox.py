"""Work that photos wait for. A photo's own row says when it is due, so there is no queue to lose it in."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from uploads.models import Photo
from uploads.moderation import moderator

BATCH = 20
# Longer than any pass takes; a worker that dies leaves its photos to the next one after this.
CLAIM = timedelta(minutes=15)


def work() -> int:
    """Claims a batch of due photos and lets the moderator do what is next for them; returns how many there were."""
    photos = claim()
    if photos:
        keys, until = [photo.pk for photo in photos], photos[0].claimed_until
        try:
            moderator().advance(photos)
        finally:
            Photo.objects.filter(pk__in=keys, claimed_until=until).update(claimed_until=None)
    return len(photos)


def claim() -> list[Photo]:
    """Returns up to BATCH due photos that are this worker's alone: of any number, one wins the update."""
    now = timezone.now()
    free = Photo.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=now), due_at__lte=now)
    keys = list(free.order_by("due_at").values_list("pk", flat=True)[:BATCH])
    won = [key for key in keys if free.filter(pk=key).update(claimed_until=now + CLAIM)]
    return list(Photo.objects.filter(pk__in=won))
