import secrets

from django.conf import settings
from django.db import models


def make_secret() -> str:
    return secrets.token_hex(16)


class Hook(models.Model):
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="hooks"
    )
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500)
    secret = models.CharField(max_length=64, default=make_secret)
    is_active = models.BooleanField(default=True)
    reported_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    hook = models.ForeignKey(Hook, models.CASCADE, related_name="deliveries")
    status = models.IntegerField(default=0)
    request_body = models.TextField()
    response_body = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.hook} {self.status}"
