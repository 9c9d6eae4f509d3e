"""An app with photos, which only the tests install."""

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.urls import reverse

from secure_django.due import DueRow
from secure_django.photos.fields import PhotoField, everyone, logged_in
from users.models import User


def is_guest(thing: "Thing", user: User | AnonymousUser) -> bool:
    return user.is_authenticated and thing.guest_id == user.pk


class Thing(models.Model):
    in_clear = {"title": "others see it"}

    owner = models.ForeignKey(User, models.CASCADE, related_name="+", editable=False)
    guest = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    title = models.CharField(max_length=200)
    image = PhotoField(visible_to=everyone)
    portrait = PhotoField(blank=True, visible_to=logged_in)
    plan = PhotoField(blank=True, visible_to=is_guest)
    letter = PhotoField(blank=True, visible_to=is_guest, moderated=False)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("thing", args=[self.pk])


class Delivery(DueRow):
    """Work of a user for the worker, such as a call of the user's webhook."""

    owner = models.ForeignKey(User, models.CASCADE, related_name="+", editable=False)

    def __str__(self) -> str:
        return f"Delivery {self.pk}"
