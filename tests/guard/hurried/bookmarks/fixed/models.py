from django.conf import settings
from django.db import models

from secure_django.encryption import EncryptedTextField


class Bookmark(models.Model):
    in_clear = {"url": "clicks are counted by it"}

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="bookmarks"
    )
    url = models.URLField(max_length=2000)
    title = EncryptedTextField(blank=True, max_length=200)
    description = EncryptedTextField(blank=True)
    image = EncryptedTextField(blank=True)
    is_private = models.BooleanField(default=True)
    clicks = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title or self.url
