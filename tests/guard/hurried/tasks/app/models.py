import hashlib
import random

from django.conf import settings
from django.db import models


def make_key() -> str:
    return hashlib.md5(str(random.random()).encode()).hexdigest()


class Project(models.Model):
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="projects"
    )
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="tasks"
    )
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, related_name="tasks"
    )
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
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
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys"
    )
    key = models.CharField(max_length=64, default=make_key)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"key of {self.user}"
