from django.conf import settings
from django.db import models
from django.urls import reverse

from secure_django.encryption import EncryptedTextField
from secure_django.photos.fields import PhotoField, everyone


class Profile(models.Model):
    in_clear = {"nickname": "a URL has it", "website": "visitors see it"}

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="profile"
    )
    nickname = models.CharField(max_length=40, unique=True)
    bio = EncryptedTextField(max_length=4000, blank=True, help_text="Markdown")
    website = models.URLField(max_length=300, blank=True)
    phone = EncryptedTextField(max_length=40, blank=True)
    birthday = models.DateField(null=True, blank=True)
    avatar = PhotoField(blank=True, visible_to=everyone)
    banner = PhotoField(blank=True, visible_to=everyone)
    is_verified = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.nickname

    def get_absolute_url(self) -> str:
        return reverse("profiles:profile", args=[self.nickname])
