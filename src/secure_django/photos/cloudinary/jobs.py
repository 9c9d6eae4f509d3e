from django.conf import settings

from secure_django.jobs import job
from secure_django.photos.cloudinary import outbox
from secure_django.photos.cloudinary.models import Asset
from secure_django.photos.models import Photo
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.status import LINES, Finding


@job(every=5)
def moderate_photos() -> bool:
    if not settings.CLOUDINARY:
        # Only DEBUG allows this. Photos that were sent before stay as they are.
        return False
    Asset.objects.correct_times()
    return outbox.process_due_photos() == outbox.BATCH_SIZE


def overdue_photos() -> Finding:
    overdue = get_moderation_backend().overdue(Photo.objects.used()).count()
    return Finding(
        not overdue,
        f"{overdue} wait for moderation for more than an hour",
        "The worker's log says why.",
    )


LINES["moderation"] = overdue_photos
