from django.db import models

from secure_django.due import DueRow
from secure_django.photos.models import Photo


class Asset(DueRow):
    """A photo on its way to Cloudinary, or there.

    The row lasts from the photo's upload until Cloudinary has no copy. The transaction
    that changes a photo makes its asset due, so that no change is lost.
    """

    owner_path = None  # no account has more than UPLOADS_PER_HOUR new ones

    photo = models.OneToOneField(Photo, models.CASCADE, primary_key=True)
    sent = models.BooleanField(
        default=False,
        help_text="Set before the first upload: Cloudinary may hold the photo.",
    )
    version = models.PositiveBigIntegerField(
        null=True, help_text="Empty until Cloudinary confirms the upload."
    )

    def __str__(self) -> str:
        return str(self.photo_id)
