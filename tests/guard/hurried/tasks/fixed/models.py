import secrets

from django.conf import settings
from django.db import models

from secure_django.encryption import EncryptedTextField


def make_key() -> str:
    return secrets.token_hex(16)


class Project(models.Model):
    in_clear = {"name": "lists show it"}

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="projects"
    )
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    in_clear = {"title": "lists show it"}

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="tasks"
    )
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, related_name="tasks"
    )
    title = models.CharField(max_length=200)
    text = EncryptedTextField(blank=True)
    is_done = models.BooleanField(default=False)
    priority = models.IntegerField(default=0)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.title

    def to_dict(self) -> dict[str, object]:
        return {
            "id": self.pk,
            "owner": self.owner.email,
            "project": self.project.name if self.project else None,
            "title": self.title,
            "text": self.text,
            "is_done": self.is_done,
            "priority": self.priority,
        }


class ApiKey(models.Model):
    in_clear = {"key": "requests find it"}

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys"
    )
    key = models.CharField(max_length=64, default=make_key)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"key of {self.user}"
