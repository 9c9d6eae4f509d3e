"""An app with photos, which only the tests install."""

from typing import Any

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


def is_of_household(thing: Any, user: User | AnonymousUser) -> bool:
    members = Member.objects.filter(household=getattr(thing, "household", thing))
    return user.pk in members.values_list("user", flat=True)


class Household(models.Model):
    """What several people share. Its owner has made it."""

    in_clear = {"name": "its members see it"}

    owner = models.ForeignKey(User, models.CASCADE, related_name="+", editable=False)
    name = models.CharField(max_length=100)
    watchers = models.ManyToManyField(User, blank=True, related_name="+")
    cover = PhotoField(blank=True, visible_to=is_of_household, stays_with_object=True)

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    deleted_with = {"user": "a membership ends with its account"}

    household = models.ForeignKey(Household, models.CASCADE)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"Member {self.pk}"


class Bill(models.Model):
    """What a member has paid for the household. It stays without the member's name."""

    in_clear = {"title": "the members of the household see it"}

    household = models.ForeignKey(Household, models.CASCADE)
    payer = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", editable=False
    )
    title = models.CharField(max_length=100)
    receipt = PhotoField(blank=True, visible_to=is_of_household, stays_with_object=True)

    def __str__(self) -> str:
        return self.title


class Remark(models.Model):
    """A text about a thing, below it, which names nobody itself."""

    in_clear = {"text": "others see it"}

    thing = models.ForeignKey(Thing, models.CASCADE)
    text = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.text


class Loan(models.Model):
    """A thing that another person has borrowed."""

    deleted_with = {"thing": "nobody can return a thing that is gone"}

    thing = models.ForeignKey(Thing, models.CASCADE)
    borrower = models.ForeignKey(User, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"Loan {self.pk}"
