from django.conf import settings
from django.db import models
from django.urls import reverse


class Profile(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="profile"
    )
    nickname = models.CharField(max_length=40)
    bio = models.TextField(blank=True, help_text="Markdown")
    website = models.CharField(max_length=300, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    birthday = models.DateField(null=True, blank=True)
    avatar = models.ImageField(upload_to="avatars/", blank=True)
    banner = models.FileField(upload_to="banners/", blank=True)
    is_verified = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.nickname

    def get_absolute_url(self) -> str:
        return reverse("profiles:profile", args=[self.nickname])
