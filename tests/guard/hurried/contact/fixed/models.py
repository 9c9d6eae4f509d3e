from django.conf import settings
from django.db import models

from secure_django.encryption import EncryptedTextField


class Inquiry(models.Model):
    in_clear = dict.fromkeys(["name", "email", "subject"], "staff search it")

    class Status(models.TextChoices):
        NEW = "new", "New"
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    name = models.CharField(max_length=100)
    email = models.EmailField()
    phone = EncryptedTextField(max_length=40, blank=True)
    subject = models.CharField(max_length=200)
    text = EncryptedTextField(max_length=5000)
    attachment = models.FileField(  # noqa: TID251  # staff download it
        upload_to="contact/", blank=True
    )
    status = models.CharField(
        max_length=10, choices=Status.choices, default=Status.NEW, blank=True
    )
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )
    answer = EncryptedTextField(blank=True, max_length=5000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.subject
