from django.conf import settings
from django.db import models


class Bookmark(models.Model):
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="bookmarks"
    )
    url = models.TextField()
    title = models.TextField(blank=True)
    description = models.TextField(blank=True)
    image = models.TextField(blank=True)
    is_private = models.BooleanField(default=True)
    clicks = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title or self.url
