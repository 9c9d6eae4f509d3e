from django.conf import settings
from django.db import models
from django.urls import reverse

from secure_django.encryption import EncryptedTextField


class Offer(models.Model):
    in_clear = dict.fromkeys(["title", "text", "city"], "visitors search it")

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="offers"
    )
    title = models.CharField(max_length=120)
    text = models.TextField(max_length=4000, blank=True)
    price = models.IntegerField(default=0)
    city = models.CharField(max_length=80, blank=True)
    is_published = models.BooleanField(default=False)
    is_featured = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("market:offer", args=[self.pk])


class SavedSearch(models.Model):
    in_clear = {"name": "lists show it"}

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_searches"
    )
    name = models.CharField(max_length=200)
    query = EncryptedTextField(max_length=1000)

    def __str__(self) -> str:
        return self.name
