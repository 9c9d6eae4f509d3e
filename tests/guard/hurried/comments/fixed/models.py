from django.conf import settings
from django.db import models

from secure_django.photos.models import Photo


class Comment(models.Model):
    in_clear = {"text": "visitors read it"}

    photo = models.ForeignKey(Photo, models.CASCADE, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="comments"
    )
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="replies"
    )
    text = models.TextField(max_length=5000)
    is_approved = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created_at",)

    def __str__(self) -> str:
        return self.text[:50]
