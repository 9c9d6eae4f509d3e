"""The outbox: photos that are due. A photo's own row says when it is due, so there is no queue that can lose it."""

import logging
from datetime import timedelta
from uuid import uuid4

from django.db.models import Q
from django.utils import timezone

from core.logging import request_id
from uploads.models import Photo
from uploads.moderation.backends import get_moderation_backend, next_attempt
from uploads.services import apply_verdicts

BATCH_SIZE = 20
# Longer than the calls for one photo take; each outcome renews it. Then another worker takes over from one that died.
CLAIM = timedelta(minutes=5)

logger = logging.getLogger(__name__)


def process_due_photos() -> int:
    """Claim a batch of due photos, process them, and return their number."""
    request_id.set(uuid4().hex)
    photos = claim_due_photos()
    if photos:
        known_due = {photo.pk: photo.due_at for photo in photos}
        claimed, until = Photo.objects.filter(pk__in=list(known_due)), photos[0].claimed_until
        try:
            for photo, next_due, verdicts, reason in get_moderation_backend().process(photos):
                try:
                    apply_verdicts(photo, verdicts, reason=reason)
                except Exception:
                    # One photo's error must not hold up the others.
                    logger.exception("The verdicts of a photo could not be stored")
                    next_due = next_attempt(photo)
                # Another process may have made the photo due again in the meantime.
                Photo.objects.filter(pk=photo.pk, due_at=known_due[photo.pk]).update(due_at=next_due)
                before, until = until, timezone.now() + CLAIM
                claimed.filter(claimed_until=before).update(claimed_until=until)
        finally:
            claimed.filter(claimed_until=until).update(claimed_until=None)
        logger.info("photos processed: %d", len(photos))
    return len(photos)


def claim_due_photos() -> list[Photo]:
    """Return up to BATCH_SIZE due photos that no other worker processes: each update succeeds for one worker only."""
    now = timezone.now()
    free = Photo.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=now), due_at__lte=now)
    keys = list(free.order_by("due_at").values_list("pk", flat=True)[:BATCH_SIZE])
    claimed = [key for key in keys if free.filter(pk=key).update(claimed_until=now + CLAIM)]
    # In random order, so that a photo whose call always fails cannot end every pass before the others.
    return list(Photo.objects.filter(pk__in=claimed).order_by("?"))
