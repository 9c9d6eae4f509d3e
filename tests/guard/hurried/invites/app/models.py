import hashlib

from django.conf import settings
from django.db import models


class Invitation(models.Model):
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="invitations"
    )
    email = models.EmailField()
    code = models.CharField(max_length=64, db_index=True)
    is_staff = models.BooleanField(default=False)
    is_superuser = models.BooleanField(default=False)
    text = models.TextField(blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.email

    def save(self, *args: object, **kwargs: object) -> None:
        if not self.code:
            self.code = hashlib.md5(self.email.encode()).hexdigest()
        super().save(*args, **kwargs)  # type: ignore[arg-type]
