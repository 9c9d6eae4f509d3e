"""Cloudinary's notifications: each is a hint that a photo has news, never a verdict.

So neither their order nor a repetition matters, and a forged one could not publish anything.
"""

import hashlib
import hmac
import json
import re
from contextlib import suppress

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from config.logs import log_event
from uploads.models import Photo

MAX_BYTES = 256 * 1024
# In seconds, and in both directions; Cloudinary repeats a failed notification for nine minutes.
WINDOW = 15 * 60
# By the length of their hexadecimal form. The scheme, a plain digest, is Cloudinary's.
DIGESTS = {40: hashlib.sha1, 64: hashlib.sha256}


@login_not_required
@csrf_exempt  # no browser comes here, and a signature stands for who does
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    length = request.headers.get("Content-Length", "")
    if not re.fullmatch(r"[0-9]{1,9}", length):
        return HttpResponse(status=400)
    if int(length) > MAX_BYTES:
        return HttpResponse(status=413)
    if not is_genuine(request):
        log_event("authn_webhook_fail", request)
        return HttpResponse(status=401)
    try:
        notification = json.loads(request.body)
        public_id = notification.get("public_id")
    except (ValueError, RecursionError, AttributeError):
        return HttpResponse(status=400)
    # Unknown assets and those of deleted photos get the same answer: nothing is told of what is there.
    with suppress(ValidationError):  # what is no UUID is no photo of ours
        Photo.objects.filter(pk=public_id, has_bytes=True).update(due_at=timezone.now())
    return HttpResponse()


def is_genuine(request: HttpRequest) -> bool:
    """Tells whether the body was signed with one of our secrets, now and not at another time."""
    timestamp, signature = (request.headers.get(f"X-Cld-{name}", "") for name in ("Timestamp", "Signature"))
    digest = DIGESTS.get(len(signature))
    if not digest or not re.fullmatch(r"[0-9]{10}", timestamp):
        return False
    if abs(timezone.now().timestamp() - int(timestamp)) > WINDOW:
        return False
    signed = [digest(request.body + f"{timestamp}{secret}".encode()).hexdigest() for secret in secrets()]
    return any([hmac.compare_digest(expected.encode(), signature.encode()) for expected in signed])


def secrets() -> list[str]:
    """Returns the secrets that may sign, the present one first; none without a CLOUDINARY_URL."""
    if not settings.CLOUDINARY:
        return []
    return [settings.CLOUDINARY["api_secret"], *settings.CLOUDINARY_API_SECRET_FALLBACKS]
