"""Sends photos to Cloudinary, asks for verdicts, and takes back what was deleted.

A photo's row is the only memory: each step can be cut off anywhere and is simply taken again.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from uploads.images import VARIANTS
from uploads.models import Photo, Status, Verdict
from uploads.moderation import MANUAL
from uploads.moderation.cloudinary import client
from uploads.moderation.cloudinary.client import Answer, Problem, Refused
from uploads.moderation.cloudinary.models import Asset

logger = logging.getLogger(__name__)
Result = Verdict.Result

# Cloudinary's words; any other one, `overridden` among them, is for a person to look at.
RESULTS = {
    "queued": Result.PENDING,
    "pending": Result.PENDING,
    "approved": Result.APPROVED,
    "rejected": Result.REJECTED,
    "aborted": Result.ABORTED,
}
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=15)

type Found = dict[str, tuple[Result, str]]


class CloudinaryModerator:
    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(kind.partition(":")[0] for kind in settings.CLOUDINARY_MODERATION)

    def next_due(self) -> datetime:
        return timezone.now()

    def url(self, photo: Photo, variant: str) -> str:
        """Returns Cloudinary's address for what is published and known to be there, else the site's own."""
        if photo.status == Status.APPROVED and (asset := getattr(photo, "asset", None)) and asset.version:
            return client.delivery_url(str(photo.pk), asset.version, VARIANTS[variant])
        return reverse("uploads:file", args=[photo.pk, variant])

    def advance(self, photos: Iterable[Photo]) -> None:
        photos = list(photos)
        assets = Asset.objects.in_bulk([photo.pk for photo in photos])
        asked = [photo for photo in photos if photo.has_bytes and photo.pk in assets]
        answers: dict[str, Answer] = {}
        unanswered = outage = None
        try:
            answers = client.find([str(photo.pk) for photo in asked]) if asked else {}
        except Problem as problem:
            unanswered = problem
        for photo in photos:
            known_due = photo.due_at
            try:
                if trouble := outage or (unanswered if photo in asked else None):
                    raise trouble
                due = step(photo, assets.get(photo.pk) or Asset(photo=photo), answers.get(str(photo.pk)))
            except Problem as problem:
                if problem is not unanswered and not isinstance(problem, Refused):
                    outage = problem
                due = postpone(photo, problem)
            except Exception:
                # One photo's trouble must not hold up all that are due after it.
                logger.exception("A photo could not be moved on")
                due = soon(photo)
            # Whoever made it due again in the meantime, a webhook or a person, wins.
            Photo.objects.filter(pk=photo.pk, due_at=known_due).update(due_at=due)
        if trouble := outage or unanswered:
            logger.warning("%s", trouble.advice)


def step(photo: Photo, asset: Asset, answer: Answer | None) -> datetime | None:
    """Takes one photo as far as it goes now; returns when it is due again."""
    if not photo.has_bytes:
        if not asset._state.adding:
            client.destroy(str(photo.pk))
            asset.delete()
        return None
    approved = photo.verdicts.filter(kind=MANUAL, result=Result.APPROVED).exists()
    if answer is None and (approved or not asset.version):
        answer = send(photo, asset, MANUAL if approved else "|".join(settings.CLOUDINARY_MODERATION))
    if answer:
        asset.version = answer["version"]
        asset.save()
    if approved:
        client.approve(str(photo.pk))
        return None
    if answer and answer.get("existing"):
        return timezone.now()
    kinds = photo.verdicts.exclude(kind=MANUAL).values_list("kind", flat=True)
    found = read(answer or {}, kinds)
    record(photo, found)
    return soon(photo) if any(result == Result.PENDING for result, _ in found.values()) else None


def send(photo: Photo, asset: Asset, moderation: str) -> Answer:
    # Before anything is sent: whoever finds this row must ask first, since the outcome may be unknown.
    asset.save()
    try:
        with default_storage.open(photo.path("display")) as file:
            return client.send(str(photo.pk), file, moderation)
    except FileNotFoundError:
        raise Refused("The photo's file is missing.") from None


def read(answer: Answer, kinds: Iterable[str]) -> Found:
    """Returns each kind's result, unknown unless there is one clear word for it, and what reviewers read of it."""
    entries = answer.get("moderation")
    said = defaultdict(list)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            said[str(entry.get("kind")).partition(":")[0]].append(entry)
    found = {}
    for kind in kinds:
        words = sorted({str(entry.get("status")) for entry in said[kind]}) or ["nothing"]
        result = RESULTS.get(words[0], Result.UNKNOWN) if len(words) == 1 else Result.UNKNOWN
        details = [json.dumps(entry["response"]) for entry in said[kind] if entry.get("response")]
        if result == Result.UNKNOWN:
            details.insert(0, f"Cloudinary says: {', '.join(words)}.")
        found[kind] = result, " ".join(details)[:1000]
    return found


def record(photo: Photo, found: Found) -> None:
    """Writes what was found; a person gets what has been pending for too long."""
    if photo.created_at < timezone.now() - timedelta(hours=settings.MODERATION_STUCK_HOURS):
        late = f"No verdict within {settings.MODERATION_STUCK_HOURS} hours."
        for kind, (result, detail) in found.items():
            if result == Result.PENDING:
                found = found | {kind: (Result.UNKNOWN, f"{late} {detail}".strip())}
    rejected = {kind for kind, (result, _) in found.items() if result == Result.REJECTED}
    photo.record(
        {kind: result for kind, (result, _) in found.items()},
        details={kind: detail for kind, (_, detail) in found.items()},
        reason=f"Not accepted: {'file' if rejected == {'perception_point'} else 'content'}.",
    )


def postpone(photo: Photo, problem: Problem) -> datetime:
    """Tells reviewers why a photo still waits; returns when it is due again."""
    result = Result.UNKNOWN if isinstance(problem, Refused) else Result.PENDING
    waiting = photo.verdicts.filter(result=Result.PENDING).exclude(kind=MANUAL).values_list("kind", flat=True)
    record(photo, dict.fromkeys(waiting, (result, problem.advice)))
    return problem.until or soon(photo)


def soon(photo: Photo) -> datetime:
    """Returns when to look again: the longer a photo has waited, the later, and photos of one time together."""
    now = timezone.now()
    return now + min(max((now - photo.created_at) / 2, SHORTEST_WAIT), LONGEST_WAIT)
