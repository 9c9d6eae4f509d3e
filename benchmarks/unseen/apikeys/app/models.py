import hashlib
import secrets

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

User = settings.AUTH_USER_MODEL
STATES = [(state, state.title()) for state in ("pending", "running", "succeeded", "failed")]
SCOPES = [
    ("read", "Read deployments"),
    ("write", "Create, update and delete deployments"),
    ("read-status", "Read the current status only"),
]


def digest_of(raw):
    return hashlib.sha256(raw.encode()).hexdigest()


class Project(models.Model):
    owner = models.ForeignKey(User, models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=80, unique=True)
    public = models.BooleanField("public status badge", default=False)

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("apikeys:project", args=[self.slug])


class Member(models.Model):
    class Role(models.TextChoices):
        VIEWER = "viewer", "Viewer"
        DEVELOPER = "developer", "Developer"
        ADMIN = "admin", "Admin"

    project = models.ForeignKey(Project, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        unique_together = [("project", "user")]


class ApiKey(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="keys")
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=60)
    prefix = models.CharField(max_length=8)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    @classmethod
    def make(cls, **fields):
        """Return a new key and its secret, of which only the digest is stored."""
        raw = secrets.token_urlsafe(30)
        return cls.objects.create(prefix=raw[:6], digest=digest_of(raw), **fields), raw

    @property
    def is_valid(self):
        is_over = self.expires_at and self.expires_at < timezone.now()
        return not self.revoked_at and not is_over

    def allows(self, scope):
        return scope in self.scopes


class Deployment(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="deployments")
    key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="+")
    environment = models.CharField(max_length=30, default="production")
    version = models.CharField(max_length=60)
    status = models.CharField(max_length=10, choices=STATES, default="pending")
    url = models.URLField(blank=True)
    log = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def as_dict(self):
        names = ("id", "environment", "version", "status", "url", "created_at")
        return {name: getattr(self, name) for name in names}


class Call(models.Model):
    """A request to the API, for the usage page."""

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="calls")
    path = models.CharField(max_length=500)
    ip = models.CharField(max_length=45)
    at = models.DateTimeField(auto_now_add=True)
