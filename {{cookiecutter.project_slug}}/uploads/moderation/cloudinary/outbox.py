"""Send photos to Cloudinary and read its verdicts. All state is in rows: a later pass repeats an interrupted step."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from uploads.models import Photo
from uploads.moderation.cloudinary import client
from uploads.moderation.cloudinary.client import Answer, CloudinaryError, PhotoError, PhotoRefusedError
from uploads.moderation.cloudinary.models import Asset
from uploads.moderation.rules import MANUAL, Result, VerdictValue
from uploads.services import apply_verdicts

BATCH_SIZE = 20
# Longer than the calls for one photo take; each outcome renews it. Then another worker takes over from one that died.
CLAIM = timedelta(minutes=5)
# By Cloudinary's statuses. Any other status, such as `overridden`, needs a reviewer.
RESULTS = {"queued": Result.PENDING} | {result.value: result for result in Result}
OTHER_STORAGE = gettext_noop("The worker looks at another storage than the site: a file is missing. Check STORAGE_URL.")

logger = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """The verdicts by kind that one pass found, and when the photo is due again (None: never)."""

    asset: Asset
    next_due: datetime | None
    verdicts: Mapping[str, VerdictValue] = {}
    reason: str = ""  # for the owner, if the photo is rejected


def process_due_photos() -> int:
    """Claim a batch of due photos, process them, and return their number."""
    assets = Asset.objects.select_related("photo").claim(BATCH_SIZE, CLAIM)
    if assets:
        try:
            for asset, next_due, verdicts, reason in process(assets):
                try:
                    apply_verdicts(asset.photo, verdicts, reason=reason)
                except Exception:
                    # One photo's error must not hold up the others.
                    logger.exception("The verdicts of a photo could not be stored")
                    next_due = asset.next_attempt()
                Asset.objects.reschedule(asset, next_due)
                Asset.objects.keep_claim(assets, timezone.now() + CLAIM)
        finally:
            Asset.objects.keep_claim(assets, None)
        logger.info("photos processed: %d", len(assets))
    return len(assets)


def process(assets: Sequence[Asset]) -> Iterator[Outcome]:
    """Take the next step for each photo, and yield what it found."""
    # One query asks about all photos that were sent before.
    queried = [str(asset.pk) for asset in assets if asset.sent and asset.photo.has_files]
    listed: dict[str, dict[str, Any]] = {}
    query_error, outage = None, None  # an outage ends all further calls
    try:
        listed = client.list_assets(queried) if queried else {}
    except CloudinaryError as error:
        query_error = error
    for asset in assets:
        key = str(asset.pk)
        if earlier := outage or (query_error if key in queried else None):
            yield postpone(asset, earlier)
            continue
        try:
            answer = client.find_asset(key, listed.get(key, {})) if key in queried else None
            outcome = take_step(asset, answer)
        except FileNotFoundError:
            logger.error(OTHER_STORAGE)
            outcome = postpone(asset, CloudinaryError(OTHER_STORAGE))
        except CloudinaryError as error:
            outage = outage if isinstance(error, PhotoError) else error
            outcome = postpone(asset, error)
        except Exception:
            # An error with one photo must not hold up the photos after it.
            logger.exception("A photo could not be processed")
            outcome = Outcome(asset, asset.next_attempt())
        yield outcome
    if problem := outage or query_error:
        logger.warning("%s", problem.advice)


def take_step(asset: Asset, answer: Answer | None) -> Outcome:
    """Do what the photo needs next: destroy its asset, record a reviewer's approval, or get verdicts."""
    photo, key = asset.photo, str(asset.pk)
    if not photo.has_files:
        if asset.sent:
            client.destroy(key)
        # By a query: the outcome still needs the key of the asset.
        Asset.objects.filter(pk=asset.pk).delete()
        return Outcome(asset, next_due=None)
    approved = photo.verdicts.filter(kind=MANUAL, result=Result.APPROVED).exists()
    must_upload = answer is None and (approved or not asset.version)
    if must_upload:
        with default_storage.open(photo.path("display")) as file:
            # Saved before the upload: if the outcome stays unknown, the next pass asks before it sends again.
            asset.sent = True
            asset.save(update_fields=["sent"])
            answer = client.upload(key, file, MANUAL if approved else "|".join(settings.CLOUDINARY_MODERATION))
    if answer:
        asset.version = answer.version
        asset.save(update_fields=["version"])
    if approved:
        client.approve(key)
        return Outcome(asset, next_due=None)
    if must_upload and answer and answer.existing:
        return Outcome(asset, timezone.now())  # such an answer has no verdicts: ask again at once
    verdicts = read_verdicts(answer.moderation if answer else (), photo)
    pending = any(verdict.result == Result.PENDING for verdict in verdicts.values())
    return make_outcome(asset, asset.next_attempt() if pending else None, verdicts)


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


def make_outcome(asset: Asset, next_due: datetime | None, verdicts: Mapping[str, VerdictValue]) -> Outcome:
    """Return the outcome; verdicts that have been pending for too long go to a reviewer."""
    if asset.photo.created_at < timezone.now() - timedelta(hours=settings.MODERATION_STUCK_HOURS):
        late = _("No verdict within {hours} hours.").format(hours=settings.MODERATION_STUCK_HOURS)
        pending = {kind: verdict.detail for kind, verdict in verdicts.items() if verdict.result == Result.PENDING}
        unknown = {kind: VerdictValue(Result.UNKNOWN, f"{late} {detail}".strip()) for kind, detail in pending.items()}
        verdicts = {**verdicts, **unknown}
    rejected = {kind for kind, verdict in verdicts.items() if verdict.result == Result.REJECTED}
    reason = _("Not accepted: file.") if rejected == {"perception_point"} else _("Not accepted: content.")
    return Outcome(asset, next_due, verdicts, reason)


def postpone(asset: Asset, error: CloudinaryError) -> Outcome:
    """Return an outcome that tells reviewers why the photo still waits."""
    result = Result.UNKNOWN if isinstance(error, PhotoRefusedError) else Result.PENDING
    waiting = asset.photo.verdicts.filter(result=Result.PENDING).exclude(kind=MANUAL).values_list("kind", flat=True)
    verdicts = dict.fromkeys(waiting, VerdictValue(result, _(error.advice)))
    return make_outcome(asset, error.retry_at or asset.next_attempt(), verdicts)
