import secrets

from django.conf import settings
from django.db import models

from secure_django.encryption import EncryptedTextField
from secure_django.photos.models import Photo


def make_token() -> str:
    return secrets.token_urlsafe()


class Album(models.Model):
    in_clear = {"title": "visitors see it", "token": "links find it"}

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="albums"
    )
    title = models.CharField(max_length=120)
    note = EncryptedTextField("private note", max_length=4000, blank=True)
    token = models.CharField(max_length=64, default=make_token)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title


class AlbumPhoto(models.Model):
    album = models.ForeignKey(Album, models.CASCADE, related_name="entries")
    photo = models.ForeignKey(Photo, models.CASCADE, related_name="+")
    caption = EncryptedTextField(blank=True, max_length=300)

    def __str__(self) -> str:
        return self.photo.title


class Greeting(models.Model):
    in_clear = {"name": "visitors see it"}

    album = models.ForeignKey(Album, models.CASCADE, related_name="greetings")
    name = models.CharField(max_length=120)
    text = EncryptedTextField(max_length=1000)

    def __str__(self) -> str:
        return self.name
