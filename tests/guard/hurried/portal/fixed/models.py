from django.conf import settings
from django.db import models
from django.urls import reverse

from secure_django.encryption import EncryptedTextField


class Doctor(models.Model):
    in_clear = {"name": "patients choose by it"}

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="doctor"
    )
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Patient(models.Model):
    in_clear = {"name": "doctors search it"}

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="patient"
    )
    doctor = models.ForeignKey(
        Doctor, models.SET_NULL, null=True, blank=True, related_name="patients"
    )
    name = models.CharField(max_length=100)
    birthday = models.DateField(null=True, blank=True)
    insurance_number = EncryptedTextField(max_length=30, blank=True)

    def __str__(self) -> str:
        return self.name


class Visit(models.Model):
    doctor = models.ForeignKey(
        Doctor, models.SET_NULL, null=True, related_name="visits"
    )
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="visits")
    diagnosis = EncryptedTextField(max_length=4000)
    private_note = EncryptedTextField("note for doctors", max_length=4000, blank=True)
    reply = EncryptedTextField("reply of the patient", max_length=4000, blank=True)
    is_signed = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"Visit {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("portal:visit", args=[self.pk])
