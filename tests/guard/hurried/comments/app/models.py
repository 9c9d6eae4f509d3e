from django.conf import settings
from django.db import models
from django.utils.safestring import SafeString, mark_safe

from secure_django.photos.models import Photo


class Comment(models.Model):
    photo = models.ForeignKey(Photo, models.CASCADE, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="comments"
    )
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="replies"
    )
    text = models.TextField()
    is_approved = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created_at",)

    def __str__(self) -> str:
        return self.text[:50]

    @property
    def html(self) -> SafeString:
        return mark_safe(self.text.replace("\n", "<br>"))
