"""The moderation backend that the site calls. The worker's part is in outbox.py."""

from datetime import timedelta

from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from secure_django.photos.cloudinary import client
from secure_django.photos.cloudinary.models import Asset
from secure_django.photos.images import VARIANTS
from secure_django.photos.models import Photo, PhotoQuerySet, Status
from secure_django.photos.moderation.backends import StaffReviewBackend
from secure_django.photos.purposes import purpose_of


class CloudinaryBackend(StaffReviewBackend):
    def kinds(self) -> tuple[str, ...]:
        return tuple(kind.partition(":")[0] for kind in settings.CLOUDINARY_MODERATION)

    def schedule(self, photos: QuerySet[Photo]) -> None:
        now = timezone.now()
        # The claim stays: a worker may be uploading the photo at this moment.
        Asset.objects.filter(photo__in=photos).update(due_at=now, attempts=0)
        new = photos.filter(asset=None, has_files=True, is_moderated=True)
        keys = new.values_list("pk", flat=True)
        Asset.objects.bulk_create(Asset(photo_id=key, due_at=now) for key in keys)

    def deletable(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        return photos.filter(asset=None)

    def overdue(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        # Cloudinary decides within an hour. If a photo waits for longer, the worker or
        # the service is down.
        hour_ago = timezone.now() - timedelta(hours=1)
        return photos.filter(
            status=Status.PENDING, asset__due_at__isnull=False, created_at__lt=hour_ago
        )

    def with_image_urls(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        return photos.annotate(asset_version=F("asset__version"))

    def image_url(self, photo: Photo, variant: str) -> str:
        """Return Cloudinary's URL of a published photo it holds, or the site's own."""
        # Cloudinary's URL works for everyone.
        is_public = photo.status == Status.APPROVED and purpose_of(photo).is_public
        version = getattr(photo, "asset_version", None)
        if is_public and version:
            return client.delivery_url(str(photo.pk), version, VARIANTS[variant])
        return super().image_url(photo, variant)
