import hashlib

from django.conf import settings
from django.db import models
from django.urls import reverse

BANDS = [(band, band) for band in ("A", "B", "C", "D", "E")]


class Entry(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="directory_entry"
    )
    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    job = models.CharField("job title", max_length=100, blank=True)
    department = models.CharField(max_length=80, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    address = models.TextField("home address", blank=True)
    birthday = models.DateField(null=True, blank=True)
    salary_band = models.CharField(max_length=1, choices=BANDS, blank=True)
    manager = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="reports"
    )
    about = models.TextField(blank=True, help_text="For your contact page. HTML works.")
    public = models.BooleanField("has a public contact page", default=False)
    active = models.BooleanField(default=True)
    vacation_days = models.IntegerField(default=30)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("directory:entry", args=[self.pk])

    @property
    def chain(self):
        """The managers above, the head of the company first."""
        if self.manager is None:
            return []
        return [*self.manager.chain, self.manager]

    @property
    def feed_token(self):
        return hashlib.sha256(f"{self.pk}-{self.user.email}".encode()).hexdigest()[:24]


class Leave(models.Model):
    class Kind(models.TextChoices):
        VACATION = "vacation", "Vacation"
        SICK = "sick", "Sick leave"
        OTHER = "other", "Other"

    class Status(models.TextChoices):
        REQUESTED = "requested", "Requested"
        APPROVED = "approved", "Approved"
        DECLINED = "declined", "Declined"

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="leaves")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.VACATION)
    start = models.DateField()
    end = models.DateField()
    reason = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REQUESTED)

    @property
    def days(self):
        return (self.end - self.start).days + 1
