from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string

USER = settings.AUTH_USER_MODEL


def make_slug():
    return get_random_string(12)


def make_token():
    return get_random_string(12)


class SnippetQuerySet(models.QuerySet):
    def open_to(self, user):
        return self.filter(~Q(visibility="private") | Q(owner_id=user.pk))


class Snippet(models.Model):
    class Visibility(models.TextChoices):
        PRIVATE = "private", "Private: only you"
        UNLISTED = "unlisted", "Unlisted: everyone with the link"
        PUBLIC = "public", "Public"

    slug = models.CharField(max_length=12, unique=True, default=make_slug)
    owner = models.ForeignKey(USER, models.CASCADE, related_name="snippets")
    title = models.CharField("file name", max_length=120)
    description = models.CharField(max_length=300, blank=True)
    code = models.TextField()
    visibility = models.CharField(
        max_length=10, choices=Visibility.choices, default=Visibility.PUBLIC
    )
    forked_from = models.ForeignKey("self", models.SET_NULL, null=True, related_name="forks")
    stars = models.ManyToManyField(USER, related_name="starred_snippets")
    views = models.PositiveIntegerField(default=0)
    webhook_url = models.CharField("webhook", max_length=300, blank=True)
    webhook_answer = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SnippetQuerySet.as_manager()

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("snippets:detail", args=[self.slug])


class Share(models.Model):
    snippet = models.ForeignKey(Snippet, models.CASCADE, related_name="shares")
    token = models.CharField(max_length=12, unique=True, default=make_token)
    password = models.CharField(max_length=60, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    views = models.PositiveIntegerField(default=0)

    @property
    def is_over(self):
        return self.expires_at is not None and self.expires_at < timezone.now()


class Comment(models.Model):
    snippet = models.ForeignKey(Snippet, models.CASCADE, related_name="comments")
    author = models.ForeignKey(USER, models.CASCADE, related_name="+")
    text = models.TextField(max_length=3000)
    created_at = models.DateTimeField(auto_now_add=True)
