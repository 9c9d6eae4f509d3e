import secrets

from django.conf import settings
from django.db import models

from secure_django.encryption import EncryptedTextField


def make_secret() -> str:
    return secrets.token_hex(16)


class Hook(models.Model):
    in_clear = {"name": "lists show it", "url": "servers find their hook by it"}

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="hooks"
    )
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500)
    secret = EncryptedTextField(default=make_secret)
    is_active = models.BooleanField(default=True)
    reported_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    hook = models.ForeignKey(Hook, models.CASCADE, related_name="deliveries")
    status = models.IntegerField(default=0)
    request_body = EncryptedTextField()
    response_body = EncryptedTextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.hook} {self.status}"
