"""Photos, and the verdicts that decide who may see them."""

import re
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from secure_django.encryption import EncryptedTextField
from secure_django.photos.purposes import PURPOSES, purpose_of, unused_photos
from secure_django.validators import validate_one_line

if TYPE_CHECKING:
    from secure_django.user import User

__all__ = ["Photo", "PhotoQuerySet", "Status"]


class Status(models.TextChoices):
    PENDING = "pending", _("Waiting for review")
    REVIEW = "review", _("Needs a reviewer")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Not accepted")
    # Without title and names. The row stays for an hour, since it counts towards the
    # quota.
    DELETED = "deleted", _("Deleted")


WAITING = (Status.PENDING, Status.REVIEW)
# What `Photo.path` returns, with the id in a group.
FILE = re.compile(
    r"photos/[0-9a-f]{2}/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-[a-z]+\.jpg"
)


class PhotoQuerySet(models.QuerySet["Photo"]):
    def not_deleted(self) -> Self:
        return self.exclude(status=Status.DELETED).fetch_mode(models.FETCH_PEERS)

    def approved(self) -> Self:
        return self.filter(status=Status.APPROVED).fetch_mode(models.FETCH_PEERS)

    def used(self) -> Self:
        """Return photos without those that no object refers to any longer.

        The worker deletes these within a day. Until then, nobody sees or decides them.
        """
        return self.exclude(unused_photos(tuple(PURPOSES.values())))

    def unused(self) -> Self:
        return self.filter(unused_photos(tuple(PURPOSES.values())))

    def staying(self) -> Self:
        """Return photos of shared objects, which stay when their owner's account goes.

        A rejected one goes: nobody sees it.
        """
        names = [it.name for it in PURPOSES.values() if it.stays_with_object]
        kept = self.used().filter(purpose__in=names, has_files=True)
        return kept.exclude(status__in=(Status.REJECTED, Status.DELETED))

    def waiting(self) -> Self:
        """Return photos that wait for a reviewer, the oldest first."""
        waiting = self.used().filter(status__in=WAITING)
        return waiting.order_by("created_at", "id")


class Photo(models.Model):
    """A photo, hidden until all of its verdicts are approvals."""

    in_clear = {
        "purpose": "it names a model and a field",
        "title": "others see it, and reviewers search it",
        "reason": "it is about the rules of the site",
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Without an index of its own: one below begins with it.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="photos",
        db_index=False,
    )
    purpose = models.CharField(
        max_length=200,
        help_text="What it is for: see secure_django/photos/purposes.py.",
    )
    # Not read from the purpose, which a renamed model or field makes unknown: reviewers
    # must never see a private photo.
    is_moderated = models.BooleanField(default=True, editable=False)
    title = models.CharField(max_length=120, blank=True, validators=[validate_one_line])
    original_name = EncryptedTextField(
        help_text="The name of the uploaded file. It often names a place or a person."
    )
    # A photo is stored with files and waits. A decision approves or rejects it. When a
    # person rejects or deletes it, or REJECTED_RETENTION_DAYS after a backend rejects
    # it, `has_files` is cleared: nobody sees it from then on. Then the worker deletes
    # the files and clears `must_delete_files`. A deleted photo's row goes an hour after
    # the upload.
    status = models.CharField(
        max_length=8, choices=Status.choices, default=Status.PENDING
    )
    reason = models.CharField(
        max_length=200,
        blank=True,
        help_text="Why the photo was rejected. The owner reads this.",
    )
    width = models.PositiveIntegerField("width in pixels")
    height = models.PositiveIntegerField("height in pixels")
    # The site compares the size of each file before it uses the file.
    display_size = models.PositiveIntegerField("size in bytes")
    thumbnail_size = models.PositiveIntegerField("size of the thumbnail in bytes")
    has_files = models.BooleanField(default=True)
    must_delete_files = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    auto_rejected_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When the owner gets an email about the decision. None: never, or it was sent.
    notify_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects = PhotoQuerySet.as_manager()

    class Meta:
        verbose_name = _("photo")
        verbose_name_plural = _("photos")
        ordering = ("-created_at", "id")
        indexes = (
            models.Index(fields=["status", "-created_at", "id"]),
            models.Index(fields=["purpose", "status", "-created_at", "id"]),
            models.Index(fields=["owner", "-created_at", "id"]),
            models.Index(fields=["auto_rejected_at"]),
            models.Index(
                fields=["id"],
                name="secure_django_photo_to_delete",
                condition=models.Q(must_delete_files=True),
            ),
            # For the review: photos that wait, all photos, and titles by their first
            # letters (on PostgreSQL).
            models.Index(
                "created_at",
                "id",
                condition=models.Q(status__in=WAITING),
                name="secure_django_photo_waiting",
            ),
            models.Index("created_at", "id", name="secure_django_photo_created"),
            models.Index(
                fields=["status", "title"],
                opclasses=["varchar_ops", "varchar_pattern_ops"],
                name="secure_django_photo_title",
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=Status.values),
                name="secure_django_photo_status_is_known",
            ),
        )
        permissions = (("review_photo", "Can approve and reject photos"),)

    def __str__(self) -> str:
        return self.title or str(self.id)

    def get_absolute_url(self) -> str:
        return purpose_of(self).get_url(self)

    @property
    def status_label(self) -> str:
        # `get_status_display` hashes the label of every status, each time.
        return str(Status(self.status).label)

    @property
    def purpose_label(self) -> str:
        return str(purpose_of(self).label)

    def path(self, variant: str) -> str:
        """Return the name in the storage, with nothing of the uploaded file's name."""
        # In 256 folders, each of which the worker can list. The storage may hold other
        # files outside of photos/.
        folder = str(self.id)[:2]
        return f"photos/{folder}/{self.id}-{variant}.jpg"

    def open_file(self, variant: str) -> File:
        """Open a file.

        Raise FileNotFoundError if it is missing or not whole, as after a power failure.
        """
        file = default_storage.open(self.path(variant))
        if file.size != getattr(self, f"{variant}_size"):
            file.close()
            raise FileNotFoundError
        return file

    def is_visible_to(
        self, user: "User | AnonymousUser", objects: Sequence[object] | None = None
    ) -> bool:
        """Return whether the user may see the photo.

        Its purpose decides. Until the photo is approved, its owner and reviewers may
        see it. `objects` are those that refer to the photo; passing them saves a query.
        So does an annotation `is_used`: an object refers to the photo.
        """
        if self.status == Status.DELETED or not self.has_files:
            return False
        purpose = purpose_of(self)
        is_approved = self.status == Status.APPROVED
        if is_approved and purpose.is_public and getattr(self, "is_used", False):
            return True
        instances = purpose.objects(self) if objects is None else objects
        if is_approved:
            if any(purpose.visible_to(instance, user) for instance in instances):
                return True
        is_owner = self.status != Status.REJECTED and self.belongs_to(user)
        # Not by the permission alone: only staff must prove a second factor, and a user
        # may keep the permission without being staff.
        is_reviewer = user.is_staff and user.has_perm(
            "secure_django_photos.review_photo"
        )
        return self.is_moderated and bool(instances) and (is_owner or is_reviewer)

    def belongs_to(self, user: "User | AnonymousUser") -> bool:
        return user.is_authenticated and self.owner_id == user.pk


class Verdict(models.Model):
    """The result of one kind of moderation: a service's, or a person's (`manual`)."""

    class Result(models.TextChoices):
        PENDING = "pending", _("Pending")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        ABORTED = "aborted", _("Aborted")
        UNKNOWN = "unknown", _("Unknown")

    in_clear = {
        "kind": "it names a check",
        "detail": "a service or a reviewer has written it",
    }

    photo = models.ForeignKey(Photo, models.CASCADE, related_name="verdicts")
    kind = models.CharField(max_length=40)
    result = models.CharField(
        max_length=8, choices=Result.choices, default=Result.PENDING
    )
    detail = models.TextField(blank=True, help_text="For reviewers.")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["photo", "kind"], name="secure_django_one_verdict_per_kind"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.result}"
