"""Photos, and the verdicts that decide who may see them."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from config.encryption import EncryptedTextField
from uploads.images import VARIANTS, Rebuilt, refuse
from uploads.moderation import decide, moderator
from users.models import User


class Status(models.TextChoices):
    PENDING = "pending", "Waiting for review"
    REVIEW = "review", "Needs a reviewer"
    APPROVED = "approved", "Published"
    REJECTED = "rejected", "Not accepted"
    # Without bytes and words of its own; the row stays for an hour, since the quota counts it.
    DELETED = "deleted", "Deleted"


class PhotoQuerySet(models.QuerySet["Photo"]):
    def live(self) -> Self:
        return self.exclude(status=Status.DELETED).fetch_mode(models.FETCH_PEERS)

    def published(self) -> Self:
        return self.filter(status=Status.APPROVED).fetch_mode(models.FETCH_PEERS)

    def accept(self, owner: User, title: str, original_name: str, image: Rebuilt) -> "Photo":
        """Stores the bytes, then the row with the verdicts it needs; raises what check_quota does."""
        photo = Photo(owner=owner, title=title, original_name=original_name)
        photo.width, photo.height, photo.size = image.width, image.height, len(image.files["display"])
        try:
            # Bytes first: a row without bytes would be a lost photo, bytes without a row are swept up.
            for variant, content in image.files.items():
                default_storage.save(photo.path(variant), ContentFile(content))
            with transaction.atomic():
                # The owner's row is the lock that keeps parallel uploads from racing past the quota.
                User.objects.select_for_update().get(pk=owner.pk)
                check_quota(owner)
                photo.due_at = moderator().next_due()
                photo.save(force_insert=True)
                Verdict.objects.bulk_create(Verdict(photo=photo, kind=kind) for kind in moderator().kinds)
        except BaseException:
            photo.delete_files()
            raise
        return photo


def check_quota(owner: User) -> None:
    """Raises ValidationError when the owner has had UPLOADS_PER_HOUR photos accepted within the last hour."""
    hour_ago = timezone.now() - timedelta(hours=1)
    if owner.photos.filter(created_at__gt=hour_ago).count() >= settings.UPLOADS_PER_HOUR:
        raise refuse("quota", photos=settings.UPLOADS_PER_HOUR)


class Photo(models.Model):
    """A photo of our own making, hidden until every verdict it needs is an approval.

    A photo with a `due_at` is the worker's: it is in the outbox from then on.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="photos")
    title = models.CharField(max_length=120)
    original_name = EncryptedTextField(help_text="As the owner's device named it: often a place or a person.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=200, blank=True, help_text="What the owner reads after a refusal.")
    width = models.PositiveIntegerField("width in pixels")
    height = models.PositiveIntegerField("height in pixels")
    size = models.PositiveIntegerField("size in bytes")
    has_bytes = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)

    objects = PhotoQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        indexes = (models.Index(fields=["status", "-created_at"]), models.Index(fields=["due_at"]))
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="uploads_photo_status_is_known"),
            models.CheckConstraint(
                condition=models.Q(width__gt=0, height__gt=0, size__gt=0), name="uploads_photo_is_not_empty"
            ),
        )
        permissions = (("review_photo", "Can approve and reject photos"),)

    def __str__(self) -> str:
        return self.title or str(self.id)

    def get_absolute_url(self) -> str:
        return reverse("uploads:photo", args=[self.id])

    def path(self, variant: str) -> str:
        """Returns the name in the storage: of our own making, with nothing of the uploaded name in it."""
        return f"{self.id}/{variant}.jpg"

    @property
    def display_url(self) -> str:
        return moderator().url(self, "display")

    @property
    def thumbnail_url(self) -> str:
        return moderator().url(self, "thumbnail")

    def is_visible_to(self, user: User | AnonymousUser) -> bool:
        """Everybody sees what is published; reviewers see what still has bytes, owners unless it was rejected."""
        if self.status == Status.APPROVED:
            return True
        if self.status == Status.DELETED or not self.has_bytes:
            return False
        if self.status != Status.REJECTED and self.belongs_to(user):
            return True
        return user.has_perm("uploads.review_photo")

    def belongs_to(self, user: User | AnonymousUser) -> bool:
        return user.is_authenticated and self.owner_id == user.pk

    def record(
        self, results: Mapping[str, str], *, by: User | None = None, details: Mapping[str, str] = {}, reason: str = ""
    ) -> None:
        """Writes results by kind and applies the rule; repeating it changes nothing.

        `by` is the person who decided, `details` by kind are for reviewers, the owner reads `reason` after a refusal.
        A photo without bytes is past deciding.
        """
        with transaction.atomic():
            photo = Photo.objects.select_for_update().get(pk=self.pk)
            if photo.has_bytes:
                for kind, result in results.items():
                    values = {"result": result, "detail": details.get(kind, ""), "decided_by": by}
                    if not photo.verdicts.filter(kind=kind, **values).exists():
                        photo.verdicts.update_or_create(kind=kind, defaults=values)
                photo.settle(by, reason)
        self.refresh_from_db()

    def settle(self, by: User | None, reason: str) -> None:
        before, self.status = self.status, decide(dict(self.verdicts.values_list("kind", "result")))
        if by is not None or self.status != before:
            self.reason = reason if self.status == Status.REJECTED else ""
        if by is not None:
            self.due_at = moderator().next_due()
            if self.status == Status.REJECTED:
                # A person has looked: there is nothing to keep the bytes for.
                self.drop_bytes()
        self.save()

    def delete_files(self) -> None:
        for variant in VARIANTS:
            default_storage.delete(self.path(variant))
        with suppress(OSError):  # another's file is in the folder
            default_storage.delete(str(self.id))

    def drop_bytes(self) -> None:
        """Deletes the files once the transaction holds, and remembers that."""
        self.has_bytes = False
        transaction.on_commit(self.delete_files)

    def discard(self) -> None:
        """Deletes the photo for its owner: bytes and words at once, the row when its time has come."""
        with transaction.atomic():
            self.drop_bytes()
            self.status, self.title, self.original_name, self.reason = Status.DELETED, "", "", ""
            self.due_at = moderator().next_due()
            # Not the claim: a worker may be sending the photo at this moment.
            self.save(update_fields=["has_bytes", "status", "title", "original_name", "reason", "due_at"])


class Verdict(models.Model):
    """What one kind of moderation, a machine's or a person's (`manual`), says of a photo."""

    class Result(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        REJECTED = "rejected"
        ABORTED = "aborted"
        UNKNOWN = "unknown"

    photo = models.ForeignKey(Photo, models.CASCADE, related_name="verdicts")
    kind = models.CharField(max_length=40)
    result = models.CharField(max_length=8, choices=Result.choices, default=Result.PENDING)
    detail = models.TextField(blank=True, help_text="For reviewers.")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["photo", "kind"], name="uploads_one_verdict_per_kind"),)

    def __str__(self) -> str:
        return f"{self.kind}: {self.result}"
