"""Send photos to Cloudinary and read its verdicts.

All state is in rows: a later pass repeats an interrupted step.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from uploads.models import Photo
from uploads.moderation.cloudinary import client
from uploads.moderation.cloudinary.client import (
    Answer,
    CloudinaryError,
    PhotoError,
    PhotoRefusedError,
)
from uploads.moderation.cloudinary.models import Asset
from uploads.moderation.rules import MANUAL, Result, VerdictValue
from uploads.services import apply_verdicts

BATCH_SIZE = 20
# Longer than the calls for one photo take; each outcome renews it. Then another worker
# takes over from one that died.
CLAIM = timedelta(minutes=5)
# By Cloudinary's statuses. Any other status, such as `overridden`, needs a reviewer.
RESULTS = {"queued": Result.PENDING} | {result.value: result for result in Result}
NO_WHOLE_FILE = gettext_noop(
    "A file is missing or not whole, or the worker looks at another storage than "
    "the site. Read `manage.py status`, and check STORAGE_URL."
)

# When the photo is due again (None: never), and the verdicts that were found, by kind.
type Outcome = tuple[datetime | None, dict[str, VerdictValue]]

logger = logging.getLogger(__name__)


def process_due_photos() -> int:
    """Claim a batch of due photos, process them, and return their number."""
    assets = Asset.objects.select_related("photo").claim(BATCH_SIZE, CLAIM)
    if not assets:
        return 0
    try:
        process(assets)
    finally:
        Asset.objects.keep_claim(assets, None)
    logger.info("photos processed: %d", len(assets))
    return len(assets)


def process(assets: Sequence[Asset]) -> None:
    """Take the next step for each photo. An outage ends all further calls."""
    outage: CloudinaryError | None = None
    listed: dict[str, dict[str, Any]] = {}
    try:
        # One query asks about all photos that were sent before.
        if sent := [
            str(asset.pk) for asset in assets if asset.sent and asset.photo.has_files
        ]:
            listed = client.list_assets(sent)
    except CloudinaryError as error:
        outage = error
    for asset in assets:
        try:
            try:
                next_due, verdicts = (
                    postpone(asset, outage) if outage else take_step(asset, listed)
                )
            except CloudinaryError as error:
                outage = outage if isinstance(error, PhotoError) else error
                next_due, verdicts = postpone(asset, error)
            store(asset, next_due, verdicts)
        except Exception:
            # One photo's error must not hold up the others.
            logger.exception("A photo could not be processed")
            Asset.objects.reschedule(asset, asset.next_attempt())
        Asset.objects.keep_claim(assets, timezone.now() + CLAIM)
    if outage:
        logger.warning("%s", outage.advice)


def take_step(asset: Asset, listed: Mapping[str, Mapping[str, Any]]) -> Outcome:
    """Destroy the photo's asset, record a reviewer's approval, or get verdicts."""
    photo, key = asset.photo, str(asset.pk)
    if not photo.has_files:
        if asset.sent:
            client.destroy(key)
        # By a query: the caller still needs the key of the asset.
        Asset.objects.filter(pk=asset.pk).delete()
        return None, {}
    answer = client.find_asset(key, listed.get(key, {})) if asset.sent else None
    approved = photo.verdicts.filter(kind=MANUAL, result=Result.APPROVED).exists()
    must_upload = answer is None and (approved or not asset.version)
    if must_upload:
        answer = upload(
            asset, MANUAL if approved else "|".join(settings.CLOUDINARY_MODERATION)
        )
    if answer:
        asset.version = answer.version
        asset.save(update_fields=["version"])
    if approved:
        client.approve(key)
        return None, {}
    if must_upload and answer and answer.existing:
        return timezone.now(), {}  # such an answer has no verdicts: ask again at once
    verdicts = read_verdicts(answer.moderation if answer else (), photo)
    pending = any(verdict.result == Result.PENDING for verdict in verdicts.values())
    return asset.next_attempt() if pending else None, verdicts


def upload(asset: Asset, moderation: str) -> Answer:
    try:
        with asset.photo.open_file("display") as file:
            # Saved before the upload: if the outcome stays unknown, the next pass asks
            # before it sends again.
            asset.sent = True
            asset.save(update_fields=["sent"])
            return client.upload(str(asset.pk), file, moderation)
    except FileNotFoundError:
        logger.error(NO_WHOLE_FILE)
        raise PhotoError(NO_WHOLE_FILE) from None


def postpone(asset: Asset, error: CloudinaryError) -> Outcome:
    """Return verdicts that tell reviewers why the photo still waits."""
    result = Result.UNKNOWN if isinstance(error, PhotoRefusedError) else Result.PENDING
    waiting = (
        asset.photo.verdicts.filter(result=Result.PENDING)
        .exclude(kind=MANUAL)
        .values_list("kind", flat=True)
    )
    return asset.next_attempt(), dict.fromkeys(
        waiting, VerdictValue(result, _(error.advice))
    )


def store(
    asset: Asset, next_due: datetime | None, verdicts: Mapping[str, VerdictValue]
) -> None:
    """Store a step's outcome. Verdicts that stay pending too long go to a reviewer."""
    if asset.photo.created_at < timezone.now() - timedelta(
        hours=settings.MODERATION_STUCK_HOURS
    ):
        late = _("No verdict within {hours} hours.").format(
            hours=settings.MODERATION_STUCK_HOURS
        )
        pending = {
            kind: verdict.detail
            for kind, verdict in verdicts.items()
            if verdict.result == Result.PENDING
        }
        unknown = {
            kind: VerdictValue(Result.UNKNOWN, f"{late} {detail}".strip())
            for kind, detail in pending.items()
        }
        verdicts = {**verdicts, **unknown}
    rejected = {
        kind for kind, verdict in verdicts.items() if verdict.result == Result.REJECTED
    }
    reason = (
        _("Not accepted: file.")
        if rejected == {"perception_point"}
        else _("Not accepted: content.")
    )
    apply_verdicts(asset.photo, verdicts, reason=reason)
    Asset.objects.reschedule(asset, next_due)


def read_verdicts(
    entries: Sequence[Mapping[str, Any]], photo: Photo
) -> dict[str, VerdictValue]:
    """Return a verdict for each kind that the photo needs, except a reviewer's."""
    kinds = photo.verdicts.exclude(kind=MANUAL).values_list("kind", flat=True)
    named = [(str(entry.get("kind")).partition(":")[0], entry) for entry in entries]
    return {
        kind: read_verdict([entry for name, entry in named if name == kind])
        for kind in kinds
    }


def read_verdict(entries: Sequence[Mapping[str, Any]]) -> VerdictValue:
    """Return one kind's verdict: unknown unless its entries agree on a known status."""
    statuses = sorted({str(entry.get("status")) for entry in entries}) or ["none"]
    result = (
        RESULTS.get(statuses[0], Result.UNKNOWN)
        if len(statuses) == 1
        else Result.UNKNOWN
    )
    details = [
        json.dumps(entry["response"]) for entry in entries if entry.get("response")
    ]
    if result == Result.UNKNOWN:
        # As JSON, since a database refuses some characters.
        details.insert(
            0,
            _("Status from Cloudinary: {statuses}.").format(
                statuses=json.dumps(statuses)
            ),
        )
    return VerdictValue(result, " ".join(details)[:1000])
