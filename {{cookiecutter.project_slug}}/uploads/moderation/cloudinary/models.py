from django.db import models

from uploads.models import Photo


class Asset(models.Model):
    """Stands for what Cloudinary may hold of a photo; there from just before the photo is first sent."""

    photo = models.OneToOneField(Photo, models.CASCADE, primary_key=True)
    version = models.PositiveBigIntegerField(null=True, help_text="Empty until Cloudinary has said that it has it.")

    def __str__(self) -> str:
        return str(self.photo_id)
