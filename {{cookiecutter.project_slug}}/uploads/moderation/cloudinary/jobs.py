import logging

from django.conf import settings

from core.jobs import job
from uploads.models import Photo
from uploads.moderation.backends import get_moderation_backend
from uploads.moderation.cloudinary import outbox

logger = logging.getLogger(__name__)


@job(every=5)
def moderate_photos() -> bool:
    # Without CLOUDINARY_URL, which only DEBUG allows, photos that were sent before stay as they are.
    return bool(settings.CLOUDINARY) and outbox.process_due_photos() == outbox.BATCH_SIZE


@job(every=300)
def report_overdue_photos() -> None:
    if overdue := get_moderation_backend().overdue(Photo.objects.all()).count():
        logger.warning("photos overdue for moderation: %d", overdue)
