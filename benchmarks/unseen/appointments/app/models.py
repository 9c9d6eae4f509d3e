from datetime import timedelta

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class Doctor(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="doctor"
    )
    name = models.CharField(max_length=100)
    specialty = models.CharField(max_length=60)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("appointments:doctor", args=[self.pk])


class Slot(models.Model):
    doctor = models.ForeignKey(Doctor, models.CASCADE, related_name="slots")
    start = models.DateTimeField(db_index=True)
    minutes = models.PositiveSmallIntegerField(default=20)
    is_blocked = models.BooleanField(default=False)

    class Meta:
        ordering = ["start"]

    def __str__(self):
        return f"{timezone.localtime(self.start):%d.%m.%Y %H:%M} with {self.doctor}"

    @property
    def end(self):
        return self.start + timedelta(minutes=self.minutes)

    @property
    def is_taken(self):
        return self.appointments.filter(status=Appointment.Status.BOOKED).exists()


class Appointment(models.Model):
    class Status(models.TextChoices):
        BOOKED = "booked", "Booked"
        CANCELLED = "cancelled", "Cancelled"
        DONE = "done", "Done"

    slot = models.ForeignKey(Slot, models.CASCADE, related_name="appointments")
    patient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="appointments"
    )
    reason = models.TextField(help_text="Tell the doctor why you come.")
    status = models.CharField(max_length=10, choices=Status, default=Status.BOOKED)
    is_confirmed = models.BooleanField(default=False)
    is_reminded = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["slot__start"]

    def __str__(self):
        return str(self.slot)

    def get_absolute_url(self):
        return reverse("appointments:detail", args=[self.pk])


class Note(models.Model):
    appointment = models.ForeignKey(Appointment, models.CASCADE, related_name="notes")
    author = models.ForeignKey(Doctor, models.CASCADE)
    text = models.TextField()
    for_patient = models.BooleanField("the patient may read it", default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at"]
