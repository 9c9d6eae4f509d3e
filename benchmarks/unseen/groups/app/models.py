from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string

from groups.text import render_markdown, render_plain


def make_token():
    return get_random_string(32)


class Group(models.Model):
    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=80, unique=True, editable=False)
    description = models.TextField(blank=True)
    is_private = models.BooleanField("private", default=False)
    feed_token = models.CharField(max_length=32, default=make_token, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("groups:group", args=[self.slug])

    def membership_of(self, user):
        return self.memberships.filter(user=user, status="active").first()

    def is_visible_to(self, user):
        return not self.is_private or self.membership_of(user) is not None

    def is_moderated_by(self, user):
        membership = self.membership_of(user)
        return membership is not None and membership.role != "member"


class Membership(models.Model):
    ROLES = [("member", "member"), ("moderator", "moderator"), ("owner", "owner")]
    STATUSES = [("pending", "pending"), ("active", "active"), ("banned", "banned")]

    group = models.ForeignKey(Group, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=ROLES, default="member")
    status = models.CharField(max_length=10, choices=STATUSES, default="active")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        unique_together = [("group", "user")]

    def __str__(self):
        return f"{self.user} in {self.group}"


class Invitation(models.Model):
    group = models.ForeignKey(Group, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    token = models.CharField(max_length=32, default=make_token, unique=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)


class Text(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, "+")
    body = models.TextField()
    is_markdown = models.BooleanField("Markdown", default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True

    @property
    def html(self):
        return render_markdown(self.body) if self.is_markdown else render_plain(self.body)


class Post(Text):
    group = models.ForeignKey(Group, models.CASCADE, related_name="posts")
    title = models.CharField(max_length=120)
    is_pinned = models.BooleanField("pinned", default=False)
    is_hidden = models.BooleanField("hidden", default=False)

    class Meta:
        ordering = ["-is_pinned", "-created_at"]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("groups:post", args=[self.group.slug, self.pk])


class Reply(Text):
    post = models.ForeignKey(Post, models.CASCADE, related_name="replies")

    class Meta:
        ordering = ["created_at"]
