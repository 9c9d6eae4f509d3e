"""Send photos to Cloudinary and read its verdicts. All state is in rows: a later pass repeats an interrupted step."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from uploads.images import VARIANTS
from uploads.models import Photo, PhotoQuerySet, Status
from uploads.moderation.backends import Outcome, StaffReviewBackend, next_attempt
from uploads.moderation.cloudinary import client
from uploads.moderation.cloudinary.client import Answer, CloudinaryError, PhotoError, PhotoRefusedError
from uploads.moderation.cloudinary.models import Asset
from uploads.moderation.rules import MANUAL, Result, VerdictValue
from uploads.purposes import purpose_of

logger = logging.getLogger(__name__)

# By Cloudinary's statuses. Any other status, such as `overridden`, needs a reviewer.
RESULTS = {"queued": Result.PENDING} | {result.value: result for result in Result}
OTHER_STORAGE = gettext_noop("The worker looks at another storage than the site: a file is missing. Check STORAGE_URL.")


class CloudinaryBackend(StaffReviewBackend):
    def kinds(self) -> tuple[str, ...]:
        return tuple(kind.partition(":")[0] for kind in settings.CLOUDINARY_MODERATION)

    def next_due(self) -> datetime:
        return timezone.now()

    def prepare(self, photos: PhotoQuerySet) -> PhotoQuerySet:
        return photos.annotate(asset_version=F("asset__version"))

    def image_url(self, photo: Photo, variant: str) -> str:
        """Return Cloudinary's URL for a published photo that Cloudinary holds, otherwise the site's own URL."""
        is_public = photo.status == Status.APPROVED and purpose_of(photo).is_public  # the URL works for everyone
        if is_public and (version := getattr(photo, "asset_version", None)):
            return client.delivery_url(str(photo.pk), version, VARIANTS[variant])
        return super().image_url(photo, variant)

    def process(self, photos: Sequence[Photo]) -> Iterator[Outcome]:
        assets = Asset.objects.in_bulk([photo.pk for photo in photos])
        # One query asks about all photos that were sent before.
        queried = [str(photo.pk) for photo in photos if photo.has_files and photo.pk in assets]
        listed: dict[str, dict[str, Any]] = {}
        query_error, outage = None, None  # an outage ends all further calls
        try:
            listed = client.list_assets(queried) if queried else {}
        except CloudinaryError as error:
            query_error = error
        for photo in photos:
            key = str(photo.pk)
            if earlier := outage or (query_error if key in queried else None):
                yield postpone(photo, earlier)
                continue
            try:
                answer = client.find_asset(key, listed.get(key, {})) if key in queried else None
                outcome = take_step(photo, assets.get(photo.pk) or Asset(photo=photo), answer)
            except FileNotFoundError:
                logger.error(OTHER_STORAGE)
                outcome = postpone(photo, CloudinaryError(OTHER_STORAGE))
            except CloudinaryError as error:
                outage = outage if isinstance(error, PhotoError) else error
                outcome = postpone(photo, error)
            except Exception:
                # An error with one photo must not hold up the photos after it.
                logger.exception("A photo could not be processed")
                outcome = Outcome(photo, next_attempt(photo))
            yield outcome
        if problem := outage or query_error:
            logger.warning("%s", problem.advice)


def take_step(photo: Photo, asset: Asset, answer: Answer | None) -> Outcome:
    """Do what the photo needs next: destroy its asset, record a reviewer's approval, or get verdicts."""
    key = str(photo.pk)
    if not photo.has_files:
        if not asset._state.adding:
            client.destroy(key)
            asset.delete()
        return Outcome(photo, next_due=None)
    approved = photo.verdicts.filter(kind=MANUAL, result=Result.APPROVED).exists()
    must_upload = answer is None and (approved or not asset.version)
    if must_upload:
        with default_storage.open(photo.path("display")) as file:
            # Saved before the upload: if the outcome stays unknown, the next pass asks before it sends again.
            asset.save()
            answer = client.upload(key, file, MANUAL if approved else "|".join(settings.CLOUDINARY_MODERATION))
    if answer:
        asset.version = answer.version
        asset.save()
    if approved:
        client.approve(key)
        return Outcome(photo, next_due=None)
    if must_upload and answer and answer.existing:
        return Outcome(photo, timezone.now())  # such an answer has no verdicts: ask again at once
    verdicts = read_verdicts(answer.moderation if answer else (), photo)
    pending = any(verdict.result == Result.PENDING for verdict in verdicts.values())
    return make_outcome(photo, next_attempt(photo) if pending else None, verdicts)


def read_verdicts(entries: Sequence[Mapping[str, Any]], photo: Photo) -> dict[str, VerdictValue]:
    """Return a verdict for each kind that the photo needs, except a reviewer's."""
    kinds = photo.verdicts.exclude(kind=MANUAL).values_list("kind", flat=True)
    named = [(str(entry.get("kind")).partition(":")[0], entry) for entry in entries]
    return {kind: read_verdict([entry for name, entry in named if name == kind]) for kind in kinds}


def read_verdict(entries: Sequence[Mapping[str, Any]]) -> VerdictValue:
    """Return the verdict of one kind: unknown unless its entries agree on one known status."""
    statuses = sorted({str(entry.get("status")) for entry in entries}) or ["none"]
    result = RESULTS.get(statuses[0], Result.UNKNOWN) if len(statuses) == 1 else Result.UNKNOWN
    details = [json.dumps(entry["response"]) for entry in entries if entry.get("response")]
    if result == Result.UNKNOWN:
        # As JSON, since a database refuses some characters.
        details.insert(0, _("Status from Cloudinary: {statuses}.").format(statuses=json.dumps(statuses)))
    return VerdictValue(result, " ".join(details)[:1000])


def make_outcome(photo: Photo, next_due: datetime | None, verdicts: Mapping[str, VerdictValue]) -> Outcome:
    """Return the outcome; verdicts that have been pending for too long go to a reviewer."""
    if photo.created_at < timezone.now() - timedelta(hours=settings.MODERATION_STUCK_HOURS):
        late = _("No verdict within {hours} hours.").format(hours=settings.MODERATION_STUCK_HOURS)
        pending = {kind: verdict.detail for kind, verdict in verdicts.items() if verdict.result == Result.PENDING}
        unknown = {kind: VerdictValue(Result.UNKNOWN, f"{late} {detail}".strip()) for kind, detail in pending.items()}
        verdicts = {**verdicts, **unknown}
    rejected = {kind for kind, verdict in verdicts.items() if verdict.result == Result.REJECTED}
    reason = _("Not accepted: file.") if rejected == {"perception_point"} else _("Not accepted: content.")
    return Outcome(photo, next_due, verdicts, reason)


def postpone(photo: Photo, error: CloudinaryError) -> Outcome:
    """Return an outcome that tells reviewers why the photo still waits."""
    result = Result.UNKNOWN if isinstance(error, PhotoRefusedError) else Result.PENDING
    waiting = photo.verdicts.filter(result=Result.PENDING).exclude(kind=MANUAL).values_list("kind", flat=True)
    verdicts = dict.fromkeys(waiting, VerdictValue(result, _(error.advice)))
    return make_outcome(photo, error.retry_at or next_attempt(photo), verdicts)
