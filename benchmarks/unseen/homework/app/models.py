import random
import secrets
import string

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


def make_code():
    return "".join(random.choices(string.digits, k=5))


def make_key():
    return secrets.token_urlsafe(24)


class Classroom(models.Model):
    teacher = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="classrooms"
    )
    name = models.CharField(max_length=80)
    code = models.CharField(max_length=5, unique=True, default=make_code)
    is_archived = models.BooleanField("archived", default=False)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("homework:class", args=[self.pk])

    def has_pupil(self, user):
        return self.enrollments.filter(pupil=user).exists()

    def is_member(self, user):
        return self.teacher_id == user.pk or self.has_pupil(user)


class Enrollment(models.Model):
    classroom = models.ForeignKey(Classroom, models.CASCADE, related_name="enrollments")
    pupil = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="enrollments"
    )
    parent_email = models.EmailField("email of a parent", blank=True)
    report_key = models.CharField(max_length=40, default=make_key, editable=False)
    joined_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.pupil} in {self.classroom}"


class Task(models.Model):
    classroom = models.ForeignKey(Classroom, models.CASCADE, related_name="tasks")
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    due_at = models.DateTimeField("due")
    max_points = models.PositiveIntegerField(default=10)
    is_published = models.BooleanField("published", default=True)
    grades_released = models.BooleanField("show points to pupils", default=False)

    class Meta:
        ordering = ["due_at"]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("homework:task", args=[self.pk])

    @property
    def is_over(self):
        return timezone.now() > self.due_at


class Submission(models.Model):
    task = models.ForeignKey(Task, models.CASCADE, related_name="submissions")
    pupil = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="submissions"
    )
    text = models.TextField(blank=True)
    file = models.FileField(upload_to="homework/%Y/%m/", blank=True)
    original_name = models.CharField(max_length=255, blank=True, editable=False)
    submitted_at = models.DateTimeField(default=timezone.now, editable=False)
    points = models.IntegerField(null=True, blank=True)
    comment = models.TextField(blank=True, help_text="The pupil reads it.")
    note = models.TextField(blank=True, help_text="For teachers only.")
    graded_at = models.DateTimeField(null=True, editable=False)

    def __str__(self):
        return f"{self.task}: {self.pupil}"
