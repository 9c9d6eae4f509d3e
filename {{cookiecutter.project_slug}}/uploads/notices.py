"""Emails that tell owners what was decided about their photos: one for all decisions within an hour."""

import logging
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage, mailers
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import ngettext

from uploads.models import Photo, PhotoQuerySet
from users.models import User

logger = logging.getLogger(__name__)


def notices() -> PhotoQuerySet:
    return Photo.objects.not_deleted().filter(notify_at__isnull=False)


def due_notices() -> PhotoQuerySet:
    return notices().filter(notify_at__lte=timezone.now())


def send_due_notices() -> None:
    """Send one email to each owner of a batch. An error ends the batch: the owners after it are still due."""
    owners = list(due_notices().order_by("owner_id").values_list("owner_id", flat=True).distinct()[:20])
    is_connected = False
    try:
        if owners:
            # Connected before a notice is marked, so that a mail server that is down loses none.
            with mailers.default as mailer:
                is_connected = True
                for owner_id in owners:
                    if email := claim_notices(owner_id):
                        mailer.send_messages([email])
    except OSError:
        logger.exception("email not sent")
        if not is_connected:
            due_notices().update(notify_at=timezone.now() + timedelta(minutes=10))


def claim_notices(owner_id: int) -> EmailMessage | None:
    """Mark an owner's decisions as reported, and return the email. It is lost if the process dies before it is sent."""
    with transaction.atomic():
        # Without this lock, two workers could each send a part. Neither query waits for a lock: a reviewer, or the
        # deletion of the account, may hold a photo's lock and wait for the owner's, which would be a deadlock.
        owner = User.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=owner_id).first()
        if owner is None or not due_notices().filter(owner=owner).exists():
            return None
        photos = list(notices().filter(owner=owner).select_for_update(nowait=True))
        Photo.objects.filter(pk__in=[photo.pk for photo in photos]).update(notify_at=None)
    if not (photos and owner.is_active and owner.email and owner.decision_emails):
        return None
    context = {"photos": photos, "project_name": settings.SITE_NAME, "origin": f"https://{settings.DOMAIN_NAME}"}
    subject = ngettext("A decision on your photo", "Decisions on your photos", len(photos))
    body = render_to_string("uploads/email/decisions.txt", context)
    return EmailMessage(settings.ACCOUNT_EMAIL_SUBJECT_PREFIX + subject, body.strip(), to=[owner.email])
