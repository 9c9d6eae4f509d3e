import secrets

from django.conf import settings
from django.db import models

from secure_django.encryption import EncryptedTextField


class Invitation(models.Model):
    in_clear = {"email": "lists show it", "code": "links find it"}

    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="invitations"
    )
    email = models.EmailField()
    code = models.CharField(max_length=64, db_index=True)
    is_staff = models.BooleanField(default=False)
    is_superuser = models.BooleanField(default=False)
    text = EncryptedTextField(blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.email

    def save(self, *args: object, **kwargs: object) -> None:
        if not self.code:
            self.code = secrets.token_urlsafe(32)
        super().save(*args, **kwargs)  # type: ignore[arg-type]
