"""Cloudinary's webhook. A notification only schedules a check of a photo.

The order, number and origin of notifications do not matter.
"""

import hashlib
import hmac
import re
import time
from contextlib import suppress

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from secure_django.http import parse_json
from secure_django.logging import log_event
from secure_django.photos.cloudinary.models import Asset
from secure_django.web.bodies import refuse_length

MAX_BYTES = 256 * 1024
# Seconds, in the past and the future. Cloudinary repeats a failed notification for nine
# minutes.
WINDOW = 15 * 60
# By the length of the signature in hexadecimal. Cloudinary defines the scheme, a plain
# digest.
DIGESTS = {40: hashlib.sha1, 64: hashlib.sha256}

TRIAL = re.compile(r"check-[0-9a-f]{32}")  # an image of manage.py cloudinary_check


@login_not_required
@csrf_exempt  # Cloudinary calls it, not a browser; a signature authenticates the sender
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    refusal = refuse_length(request, MAX_BYTES)
    if refusal:
        return refusal
    if not has_valid_signature(request):
        log_event("authn_webhook_fail", request)
        return HttpResponse(status=401)
    content = parse_json(request.body)
    if not isinstance(content, dict):
        return HttpResponse(status=400)
    public_id = content.get("public_id")
    if isinstance(public_id, str) and TRIAL.fullmatch(public_id):
        cache.set(notification_key(public_id), True, WINDOW)
    # Every asset gets the same response, so that it does not tell which photos exist.
    with suppress(ValidationError):  # not a UUID
        Asset.objects.filter(pk=public_id, photo__has_files=True).update(
            due_at=timezone.now()
        )
    return HttpResponse()


def notification_key(public_id: str) -> str:
    """Return the cache's key for a notification about an image of cloudinary_check."""
    return f"cloudinary-notification-{public_id}"


def has_valid_signature(request: HttpRequest) -> bool:
    """Return whether a secret of the project signed the body, within WINDOW of now."""
    cloud = settings.CLOUDINARY
    timestamp = request.headers.get("X-Cld-Timestamp", "")
    signature = request.headers.get("X-Cld-Signature", "")
    digest = DIGESTS.get(len(signature))
    if not cloud or not digest or not is_recent(timestamp):
        return False
    secrets = [cloud["api_secret"], *settings.CLOUDINARY_API_SECRET_FALLBACKS]
    endings = [f"{timestamp}{secret}".encode() for secret in secrets]
    digests = [digest(request.body + ending) for ending in endings]
    comparisons = [
        hmac.compare_digest(expected.hexdigest().encode(), signature.encode())
        for expected in digests
    ]
    return any(comparisons)


def is_recent(timestamp: str) -> bool:
    """Return whether a timestamp in seconds is within WINDOW of now."""
    if not re.fullmatch(r"[0-9]{10}", timestamp):
        return False
    return abs(time.time() - int(timestamp)) <= WINDOW
