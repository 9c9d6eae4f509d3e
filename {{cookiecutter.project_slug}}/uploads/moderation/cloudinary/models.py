from django.db import models

from uploads.models import Photo


class Asset(models.Model):
    """A photo that Cloudinary may hold. The row is created just before the first upload."""

    photo = models.OneToOneField(Photo, models.CASCADE, primary_key=True)
    version = models.PositiveBigIntegerField(null=True, help_text="Empty until Cloudinary confirms the upload.")

    def __str__(self) -> str:
        return str(self.photo_id)
