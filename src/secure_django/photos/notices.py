"""Emails to owners about decisions on photos: one for all decisions of an hour."""

from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import ngettext

from secure_django.clock import CLOCK_DIFFERENCE
from secure_django.mail.outbox import subject_of_site
from secure_django.photos.models import Photo, PhotoQuerySet
from secure_django.user import User
from secure_django.web.languages import in_language_of
from secure_django.web.links import absolute_url

BATCH_SIZE = 20


def notices() -> PhotoQuerySet:
    # Without those whose object is gone: there is nothing left to decide about.
    photos = Photo.objects.not_deleted().used()
    return photos.filter(notify_at__isnull=False)


def due_notices() -> PhotoQuerySet:
    now = timezone.now()
    # An hour after the decision, unless a clock ran ahead.
    is_ahead = Q(notify_at__gt=now + timedelta(hours=1) + CLOCK_DIFFERENCE)
    return notices().filter(Q(notify_at__lte=now) | is_ahead)


def send_due_notices() -> bool:
    """Send one email to each owner of a batch. Return whether there may be more."""
    due = due_notices().order_by("owner_id")
    owner_ids = due.values_list("owner_id", flat=True).distinct()[:BATCH_SIZE]
    for owner_id in owner_ids:
        send_notice(owner_id)
    return len(owner_ids) == BATCH_SIZE


def send_notice(owner_id: int) -> None:
    """Mark an owner's decisions as reported and store the email, in one transaction."""
    with transaction.atomic():
        # Without this lock, two workers could each send a part. Neither query waits for
        # a lock: a reviewer, or the deletion of the account, may hold a photo's lock
        # and wait for the owner's, which would be a deadlock.
        users = User.objects.select_for_update(skip_locked=True, no_key=True)
        owner = users.filter(pk=owner_id).first()
        if owner is None:
            return
        if not due_notices().filter(owner=owner).exists():
            return
        photos = list(notices().filter(owner=owner).select_for_update(nowait=True))
        photo_ids = [photo.pk for photo in photos]
        Photo.objects.filter(pk__in=photo_ids).update(notify_at=None)
        if photos and wants_notices(owner):
            with in_language_of(owner):
                build_email(owner, photos).send()


def email_of(owner: User) -> str:
    return getattr(owner, owner.get_email_field_name(), "") or ""


def wants_notices(owner: User) -> bool:
    # The user model of another project may lack the field.
    wants_emails = getattr(owner, "decision_emails", True)
    return owner.is_active and wants_emails and bool(email_of(owner))


def build_email(owner: User, photos: list[Photo]) -> EmailMessage:
    context = {
        "photos": photos,
        "project_name": settings.SITE_NAME,
        "origin": absolute_url(),
    }
    title = ngettext(
        "A decision on your photo", "Decisions on your photos", len(photos)
    )
    body = render_to_string("secure_django/photos/email/decisions.txt", context).strip()
    return EmailMessage(subject_of_site(title), body, to=[email_of(owner)])
