"""Copied into a generated project: visits of patients, and the doctor's notes."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN204, D101, D105, D106, INP001, RUF012

from django.conf import settings
from django.db import models

from secure_django.encryption import EncryptedTextField


class Visit(models.Model):
    # What one of the two relies on stays when the other's account goes.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        editable=False,
    )
    patient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        editable=False,
    )
    title = models.CharField(max_length=120)
    text = models.TextField(max_length=2000, blank=True)
    status = models.CharField(
        max_length=8, choices=[("open", "open"), ("paid", "paid")], default="open"
    )
    is_public = models.BooleanField(default=False, editable=False)
    order_status = models.CharField(
        max_length=8, choices=[("new", "new"), ("paid", "paid")], default="new"
    )
    finding = EncryptedTextField(blank=True, default="", editable=False)
    days = models.ManyToManyField("Day", related_name="+", blank=True)

    def __str__(self):
        return self.title


class Note(models.Model):
    visit = models.ForeignKey(Visit, models.CASCADE, related_name="notes")
    text = models.TextField(max_length=2000)
    paper = models.FileField(upload_to="papers/", blank=True)
    quoted = models.ForeignKey(
        "self", models.SET_NULL, related_name="+", null=True, editable=False
    )
    is_signed = models.BooleanField(default=False, editable=False)
    signed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(is_signed=False, signed_at=None)
                | models.Q(is_signed=True, signed_at__isnull=False),
                name="signed_when",
            )
        ]

    def __str__(self):
        return self.text


class Link(models.Model):
    visit = models.OneToOneField(Visit, models.CASCADE, related_name="link")
    token = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField(editable=False)

    def __str__(self):
        return str(self.pk)


class Day(models.Model):
    """One of a user's days. Its columns allow one row of each."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", editable=False
    )
    day = models.DateField()
    text = models.CharField(max_length=120)
    link = models.URLField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "day"], name="one_day")]

    def __str__(self):
        return self.text


class Profile(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+"
    )

    def __str__(self):
        return str(self.pk)
