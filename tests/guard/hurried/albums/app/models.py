import random
import string

from django.conf import settings
from django.db import models

from secure_django.photos.models import Photo


def make_token() -> str:
    return "".join(random.choices(string.digits, k=6))


class Album(models.Model):
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="albums"
    )
    title = models.CharField(max_length=120)
    note = models.TextField("private note", blank=True)
    token = models.CharField(max_length=20, default=make_token)
    is_shared = models.BooleanField(default=False)
    visits = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title


class AlbumPhoto(models.Model):
    album = models.ForeignKey(Album, models.CASCADE, related_name="entries")
    photo = models.ForeignKey(Photo, models.CASCADE, related_name="+")
    caption = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.photo.title


class Greeting(models.Model):
    album = models.ForeignKey(Album, models.CASCADE, related_name="greetings")
    name = models.CharField(max_length=120)
    text = models.TextField()

    def __str__(self) -> str:
        return self.name
