"""The moderation backend that sends photos to Cloudinary and reads its verdicts.

All state is in the Photo and Asset rows, so an interrupted step is repeated by a later pass.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from uploads.images import VARIANTS
from uploads.models import Photo, Status
from uploads.moderation.backends import Outcome, next_attempt
from uploads.moderation.cloudinary import client
from uploads.moderation.cloudinary.client import Answer, CloudinaryError, PhotoError, PhotoRefusedError
from uploads.moderation.cloudinary.models import Asset
from uploads.moderation.rules import MANUAL, Result, VerdictValue

logger = logging.getLogger(__name__)

# By Cloudinary's statuses. Any other status, such as `overridden`, needs a reviewer.
RESULTS = {"queued": Result.PENDING} | {result.value: result for result in Result}
OTHER_STORAGE = "The worker looks at another storage than the site: it does not find a photo's file. Check STORAGE_URL."


class CloudinaryBackend:
    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(kind.partition(":")[0] for kind in settings.CLOUDINARY_MODERATION)

    def next_due(self) -> datetime:
        return timezone.now()

    def image_url(self, photo: Photo, variant: str) -> str:
        """Return Cloudinary's URL for a published photo that Cloudinary holds, otherwise the site's own URL."""
        if photo.status == Status.APPROVED and (asset := getattr(photo, "asset", None)) and asset.version:
            return client.delivery_url(str(photo.pk), asset.version, VARIANTS[variant])
        return reverse("uploads:file", args=[photo.pk, variant])

    def process(self, photos: Sequence[Photo]) -> Iterator[Outcome]:
        batch = Batch(photos)
        for photo in photos:
            yield batch.process(photo)
        if error := batch.outage or batch.query_error:
            logger.warning("%s", error.advice)


class Batch:
    """The photos of one pass. One query asks about all that were sent before; an outage ends all further calls."""

    def __init__(self, photos: Sequence[Photo]) -> None:
        self.assets = Asset.objects.in_bulk([photo.pk for photo in photos])
        self.queried = [str(photo.pk) for photo in photos if photo.has_files and photo.pk in self.assets]
        self.listed: dict[str, dict[str, Any]] = {}
        self.query_error: CloudinaryError | None = None
        self.outage: CloudinaryError | None = None
        try:
            self.listed = client.list_assets(self.queried) if self.queried else {}
        except CloudinaryError as error:
            self.query_error = error

    def process(self, photo: Photo) -> Outcome:
        key = str(photo.pk)
        if error := self.outage or (self.query_error if key in self.queried else None):
            return postpone(photo, error)
        try:
            answer = client.find_asset(key, self.listed.get(key, {})) if key in self.queried else None
            return take_step(photo, self.assets.get(photo.pk) or Asset(photo=photo), answer)
        except FileNotFoundError:
            logger.error(OTHER_STORAGE)
            return postpone(photo, CloudinaryError(OTHER_STORAGE))
        except CloudinaryError as error:
            if not isinstance(error, PhotoError):
                self.outage = error
            return postpone(photo, error)
        except Exception:
            # An error with one photo must not hold up the photos after it.
            logger.exception("A photo could not be processed")
            return Outcome(photo, next_attempt(photo))


def take_step(photo: Photo, asset: Asset, answer: Answer | None) -> Outcome:
    """Do what the photo needs next: destroy its asset, record a reviewer's approval, or get verdicts."""
    if not photo.has_files:
        return destroy(photo, asset)
    if answer:
        save_version(asset, answer)
    if photo.verdicts.filter(kind=MANUAL, result=Result.APPROVED).exists():
        return record_approval(photo, asset, answer)
    return get_verdicts(photo, asset, answer)


def destroy(photo: Photo, asset: Asset) -> Outcome:
    if not asset._state.adding:
        client.destroy(str(photo.pk))
        asset.delete()
    return Outcome(photo, next_due=None)


def record_approval(photo: Photo, asset: Asset, answer: Answer | None) -> Outcome:
    if not answer:
        upload(photo, asset, MANUAL)
    client.approve(str(photo.pk))
    return Outcome(photo, next_due=None)


def get_verdicts(photo: Photo, asset: Asset, answer: Answer | None) -> Outcome:
    if answer is None and not asset.version:
        answer = upload(photo, asset, "|".join(settings.CLOUDINARY_MODERATION))
        if answer.existing:
            # Such an answer has no verdicts: ask again at once.
            return Outcome(photo, timezone.now())
    verdicts = read_verdicts(answer.moderation if answer else (), photo)
    pending = any(verdict.result == Result.PENDING for verdict in verdicts.values())
    return make_outcome(photo, next_attempt(photo) if pending else None, verdicts)


def upload(photo: Photo, asset: Asset, moderation: str) -> Answer:
    with default_storage.open(photo.path("display")) as file:
        # The row is saved before the upload: if the outcome stays unknown, the next pass asks before it sends again.
        asset.save()
        answer = client.upload(str(photo.pk), file, moderation)
    save_version(asset, answer)
    return answer


def save_version(asset: Asset, answer: Answer) -> None:
    asset.version = answer.version
    asset.save()


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
        details.insert(0, f"Status from Cloudinary: {json.dumps(statuses)}.")
    return VerdictValue(result, " ".join(details)[:1000])


def make_outcome(photo: Photo, next_due: datetime | None, verdicts: Mapping[str, VerdictValue]) -> Outcome:
    """Return the outcome; verdicts that have been pending for too long go to a reviewer."""
    if photo.created_at < timezone.now() - timedelta(hours=settings.MODERATION_STUCK_HOURS):
        late = f"No verdict within {settings.MODERATION_STUCK_HOURS} hours."
        pending = {kind: verdict.detail for kind, verdict in verdicts.items() if verdict.result == Result.PENDING}
        unknown = {kind: VerdictValue(Result.UNKNOWN, f"{late} {detail}".strip()) for kind, detail in pending.items()}
        verdicts = {**verdicts, **unknown}
    rejected = {kind for kind, verdict in verdicts.items() if verdict.result == Result.REJECTED}
    reason = f"Not accepted: {'file' if rejected == {'perception_point'} else 'content'}."
    return Outcome(photo, next_due, verdicts, reason)


def postpone(photo: Photo, error: CloudinaryError) -> Outcome:
    """Return an outcome that tells reviewers why the photo still waits."""
    result = Result.UNKNOWN if isinstance(error, PhotoRefusedError) else Result.PENDING
    waiting = photo.verdicts.filter(result=Result.PENDING).exclude(kind=MANUAL).values_list("kind", flat=True)
    verdicts = dict.fromkeys(waiting, VerdictValue(result, error.advice))
    return make_outcome(photo, error.retry_at or next_attempt(photo), verdicts)
