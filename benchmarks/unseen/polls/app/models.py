import hashlib

from django.conf import settings
from django.db import models
from django.db.models import Count
from django.urls import reverse
from django.utils import timezone


class Poll(models.Model):
    VISIBILITY = [("public", "everyone"), ("link", "people with a share link")]
    RESULTS = [("always", "always"), ("vote", "after the vote"), ("end", "at the end")]

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="polls"
    )
    question = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    visibility = models.CharField(max_length=10, choices=VISIBILITY, default="public")
    show_results = models.CharField(max_length=10, choices=RESULTS, default="vote")
    is_anonymous = models.BooleanField("anonymous", default=True)
    allow_guests = models.BooleanField("guests may vote", default=False)
    several = models.BooleanField("several answers", default=False)
    ends_at = models.DateTimeField("end", null=True, blank=True)
    is_closed = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return self.question

    def get_absolute_url(self):
        return reverse("polls:poll", args=[self.pk])

    @property
    def is_open(self):
        has_ended = self.ends_at is not None and timezone.now() > self.ends_at
        return not self.is_closed and not has_ended

    def may_see_results(self, user, has_voted):
        if self.owner_id == user.pk or self.show_results == "always":
            return True
        if self.show_results == "vote":
            return has_voted
        return not self.is_open

    def counts(self):
        return self.options.annotate(number=Count("votes"))

    def share_token(self):
        text = f"{self.pk}-{self.created_at:%Y-%m-%d}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Option(models.Model):
    poll = models.ForeignKey(Poll, models.CASCADE, related_name="options")
    text = models.CharField(max_length=120)

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return self.text


class Vote(models.Model):
    poll = models.ForeignKey(Poll, models.CASCADE, related_name="votes")
    option = models.ForeignKey(Option, models.CASCADE, related_name="votes")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="votes"
    )
    ip = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.user}: {self.option}"


class Comment(models.Model):
    poll = models.ForeignKey(Poll, models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    text = models.TextField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]

    def __str__(self):
        return self.text[:50]
