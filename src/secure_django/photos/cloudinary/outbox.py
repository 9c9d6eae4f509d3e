"""Send photos to Cloudinary and read its verdicts.

All state is in rows: a later pass repeats an interrupted step.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from secure_django.photos.cloudinary import client
from secure_django.photos.cloudinary.client import (
    Answer,
    CloudinaryError,
    PhotoError,
    PhotoRefusedError,
)
from secure_django.photos.cloudinary.models import Asset
from secure_django.photos.models import Photo
from secure_django.photos.moderation.rules import MANUAL, Result, VerdictValue
from secure_django.photos.services import apply_verdicts

BATCH_SIZE = 20
# Longer than the calls for one photo take. Each outcome renews the claim. When a claim
# expires, because its worker died, another worker takes over.
CLAIM = timedelta(minutes=5)
# By Cloudinary's statuses. Any other status, such as `overridden`, needs a reviewer.
RESULTS = {"queued": Result.PENDING} | {result.value: result for result in Result}
NO_WHOLE_FILE = gettext_noop(
    "A file is missing or not whole, or the worker uses another storage than "
    "the site. Read `manage.py status`, and check STORAGE_URL."
)

# What Cloudinary lists about each asset, by the key of its photo.
type Listing = dict[str, dict[str, Any]]
type Entry = Mapping[str, Any]  # what Cloudinary says about one kind of moderation
type Verdicts = dict[str, VerdictValue]  # by kind

logger = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """The outcome of a step: when the photo is due again, and its new verdicts."""

    next_due: datetime | None  # None: never
    verdicts: Verdicts


def process_due_photos() -> int:
    """Claim a batch of due photos, process them, and return their number."""
    assets = Asset.objects.select_related("photo").claim(BATCH_SIZE, CLAIM)
    if not assets:
        return 0
    try:
        process_assets(assets)
    finally:
        Asset.objects.keep_claim(assets, None)
    logger.info("photos processed: %d", len(assets))
    return len(assets)


def process_assets(assets: Sequence[Asset]) -> None:
    """Take the next step for each photo. An outage ends all further calls."""
    outage: CloudinaryError | None = None
    listing: Listing = {}
    try:
        listing = list_sent(assets)
    except CloudinaryError as error:
        outage = error
    for asset in assets:
        try:
            try:
                if outage:
                    outcome = postpone(asset, outage)
                else:
                    outcome = take_step(asset, listing)
            except CloudinaryError as error:
                if not isinstance(error, PhotoError):
                    outage = error
                outcome = postpone(asset, error)
            store_outcome(asset, outcome)
        except BaseException:
            # One photo's error must not hold up the others, whatever a receiver raises.
            logger.exception("A photo could not be processed")
            Asset.objects.reschedule(asset, asset.next_attempt())
        Asset.objects.keep_claim(assets, CLAIM)
    if outage:
        logger.warning("%s", outage.advice)


def list_sent(assets: Sequence[Asset]) -> Listing:
    """Ask with one query about all photos that were sent before."""
    sent = [asset for asset in assets if asset.sent and asset.photo.has_files]
    keys = [str(asset.pk) for asset in sent]
    return client.list_assets(keys) if keys else {}


def take_step(asset: Asset, listing: Listing) -> Outcome:
    """Destroy the photo's asset, record a reviewer's approval, or get verdicts."""
    photo = asset.photo
    key = str(asset.pk)
    if not photo.has_files:
        return destroy_asset(asset)
    answer = None
    if asset.sent:
        answer = client.find_asset(key, listing.get(key, {}))
    approvals = photo.verdicts.filter(kind=MANUAL, result=Result.APPROVED)
    is_approved = approvals.exists()
    must_upload = answer is None and (is_approved or not asset.version)
    if must_upload and not Photo.objects.used().filter(pk=photo.pk).exists():
        # Its object is gone, so the worker deletes it within a day. It goes to nobody.
        return Outcome(asset.next_attempt(), {})
    if must_upload:
        kinds = [MANUAL] if is_approved else settings.CLOUDINARY_MODERATION
        answer = upload_photo(asset, kinds)
    if answer:
        asset.version = answer.version
        asset.save(update_fields=["version"])
    if is_approved:
        client.approve(key)
        return Outcome(None, {})
    if must_upload and answer and answer.existing:
        # Such an answer has no verdicts: ask again at once.
        return Outcome(timezone.now(), {})
    verdicts = read_verdicts(answer.moderation if answer else (), photo)
    is_pending = kinds_with(Result.PENDING, verdicts)
    return Outcome(asset.next_attempt() if is_pending else None, verdicts)


def destroy_asset(asset: Asset) -> Outcome:
    """Delete what Cloudinary holds of a photo without files, and its row."""
    if asset.sent:
        client.destroy(str(asset.pk))
    # By a query: the caller still needs the key of the asset.
    Asset.objects.filter(pk=asset.pk).delete()
    return Outcome(None, {})


def upload_photo(asset: Asset, kinds: Sequence[str]) -> Answer:
    moderation = "|".join(kinds)
    try:
        with asset.photo.open_file("display") as file:
            # Saved before the upload: if the outcome stays unknown, the next pass asks
            # before it sends the photo again.
            asset.sent = True
            asset.save(update_fields=["sent"])
            return client.upload(str(asset.pk), file, moderation)
    except FileNotFoundError:
        logger.error(NO_WHOLE_FILE)
        raise PhotoError(NO_WHOLE_FILE) from None


def postpone(asset: Asset, error: CloudinaryError) -> Outcome:
    """Return verdicts that tell reviewers why the photo still waits."""
    result = Result.UNKNOWN if isinstance(error, PhotoRefusedError) else Result.PENDING
    pending = asset.photo.verdicts.filter(result=Result.PENDING).exclude(kind=MANUAL)
    kinds = pending.values_list("kind", flat=True)
    verdict = VerdictValue(result, _(error.advice))
    return Outcome(asset.next_attempt(), dict.fromkeys(kinds, verdict))


def store_outcome(asset: Asset, outcome: Outcome) -> None:
    """Store a step's outcome. Verdicts that stay pending too long go to a reviewer."""
    verdicts = outcome.verdicts
    stuck_after = timedelta(hours=settings.MODERATION_STUCK_HOURS)
    if asset.photo.created_at < timezone.now() - stuck_after:
        verdicts = give_up(verdicts)
    apply_verdicts(asset.photo, verdicts, reason=rejection_reason(verdicts))
    Asset.objects.reschedule(asset, outcome.next_due)


def give_up(verdicts: Verdicts) -> Verdicts:
    """Return the verdicts with each pending one as unknown."""
    text = _("No verdict within {hours} hours.")
    late = text.format(hours=settings.MODERATION_STUCK_HOURS)
    unknown = {}
    for kind in kinds_with(Result.PENDING, verdicts):
        detail = f"{late} {verdicts[kind].detail}".strip()
        unknown[kind] = VerdictValue(Result.UNKNOWN, detail)
    return verdicts | unknown


def rejection_reason(verdicts: Verdicts) -> str:
    """Return what the owner reads if the verdicts reject the photo."""
    if kinds_with(Result.REJECTED, verdicts) == {"perception_point"}:
        return _("Not accepted: file.")
    return _("Not accepted: content.")


def kinds_with(result: Result, verdicts: Verdicts) -> set[str]:
    return {kind for kind, verdict in verdicts.items() if verdict.result == result}


def read_verdicts(entries: Sequence[Entry], photo: Photo) -> Verdicts:
    """Return a verdict for each kind that the photo needs, except a reviewer's."""
    needed = photo.verdicts.exclude(kind=MANUAL)
    verdicts = {}
    for kind in needed.values_list("kind", flat=True):
        own_entries = [entry for entry in entries if kind_of(entry) == kind]
        verdicts[kind] = read_verdict(own_entries)
    return verdicts


def kind_of(entry: Entry) -> str:
    """Return the kind without its threshold, as in `duplicate:0.8`."""
    return str(entry.get("kind")).partition(":")[0]


def read_verdict(entries: Sequence[Entry]) -> VerdictValue:
    """Return one kind's verdict: unknown unless its entries agree on a known status."""
    statuses = sorted({str(entry.get("status")) for entry in entries}) or ["none"]
    result = Result.UNKNOWN
    if len(statuses) == 1:
        result = RESULTS.get(statuses[0], Result.UNKNOWN)
    responses = [entry.get("response") for entry in entries]
    details = [json.dumps(response) for response in responses if response]
    if result == Result.UNKNOWN:
        text = _("Status from Cloudinary: {statuses}.")
        # As JSON, since a database refuses some characters.
        details.insert(0, text.format(statuses=json.dumps(statuses)))
    return VerdictValue(result, " ".join(details)[:1000])
