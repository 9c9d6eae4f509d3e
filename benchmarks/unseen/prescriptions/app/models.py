import random
import secrets

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


def make_code():
    return str(random.randint(100000, 999999))


class Doctor(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="prescriber"
    )
    full_name = models.CharField(max_length=100)

    def __str__(self):
        return self.full_name


class Patient(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="patient"
    )
    doctor = models.ForeignKey(Doctor, models.PROTECT, related_name="patients")
    full_name = models.CharField(max_length=100)
    birth_date = models.DateField()
    insurance_number = models.CharField(max_length=20, blank=True)
    is_verified = models.BooleanField("insurance card was checked", default=False)

    def __str__(self):
        return self.full_name


class Pharmacy(models.Model):
    name = models.CharField(max_length=100)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)

    class Meta:
        verbose_name_plural = "pharmacies"

    def __str__(self):
        return self.name


class Prescription(models.Model):
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="prescriptions")
    doctor = models.ForeignKey(Doctor, models.PROTECT, related_name="prescriptions")
    medicine = models.CharField(max_length=120)
    dosage = models.CharField(max_length=200)
    repeats_left = models.IntegerField(default=3)
    valid_until = models.DateField()
    scan = models.FileField(upload_to="prescriptions/scans/", blank=True)

    class Meta:
        ordering = ["medicine"]

    def __str__(self):
        return self.medicine


class Repeat(models.Model):
    class Status(models.TextChoices):
        ASKED = "asked", "Asked for"
        APPROVED = "approved", "Approved"
        DECLINED = "declined", "Declined"
        DISPENSED = "dispensed", "Dispensed"

    prescription = models.ForeignKey(
        Prescription, models.CASCADE, related_name="repeats"
    )
    pharmacy = models.ForeignKey(Pharmacy, models.PROTECT)
    packs = models.IntegerField(default=1)
    comment = models.TextField(blank=True)
    answer = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.ASKED)
    code = models.CharField(max_length=6, default=make_code, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def get_absolute_url(self):
        return reverse("prescriptions:repeat", args=[self.pk])


class AppToken(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    key = models.CharField(max_length=64, default=secrets.token_urlsafe, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
