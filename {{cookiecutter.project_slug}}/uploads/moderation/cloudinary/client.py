"""Calls to Cloudinary through its SDK, over a transport that handles errors which the SDK ignores."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import IO, Any

import cloudinary
from cloudinary import api, uploader
from cloudinary.api_client import call_api
from cloudinary.utils import cloudinary_url, get_http_connector
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError

# Every call sets both: `authenticated` assets need a signed URL for each delivery, and the uploader has no timeout
# of its own (in seconds, for the connection and for each read).
OPTIONS: dict[str, Any] = {"type": "authenticated", "timeout": 20}
MAX_WAIT = timedelta(hours=1)

UNREACHABLE = "Cloudinary cannot be reached or has an internal error. The call is tried again automatically."
RATE_LIMITED = "Cloudinary's rate limit is reached. Moderation continues when the limit allows it."
ADVICE = {
    401: "Cloudinary rejects the API key or its secret. Correct CLOUDINARY_URL and restart the worker.",
    403: "The API key lacks a permission. Change the key's permissions in Cloudinary's console.",
    404: "Cloudinary does not know this cloud name. Correct CLOUDINARY_URL and restart the worker.",
    420: "Cloudinary rejects this moderation: an add-on is not registered, or its quota is used up. "
    "Register the add-on in Cloudinary's console under Add-ons, or change CLOUDINARY_MODERATION.",
}


@dataclass(frozen=True)
class Answer:
    """What Cloudinary reports about an asset: each entry of `moderation` has a kind, a status and a response."""

    version: int
    moderation: Sequence[Mapping[str, Any]]
    existing: bool  # the upload found the asset and changed nothing


class CloudinaryError(Exception):
    """A failed call: `advice` is for reviewers, `retry_at` is the time that Cloudinary named."""

    def __init__(self, advice: str, retry_at: datetime | None = None) -> None:
        super().__init__(advice)
        self.advice, self.retry_at = advice, retry_at


class AssetNotFoundError(CloudinaryError):
    """The asset or the cloud does not exist."""


class PhotoRefusedError(CloudinaryError):
    """Cloudinary refuses this photo; calls for other photos can succeed."""


class Transport:
    """The SDK's connection pool, with the checks that the SDK lacks.

    A redirect would send the signed body to another host. A repeated POST could upload twice. The SDK accepts any
    status with a JSON body as success, and drops the headers of error responses.
    """

    def __init__(self, pool: PoolManager) -> None:
        self.pool = pool
        self.next_query_at = timezone.now()

    def request(self, method: str, url: str, **options: Any) -> BaseHTTPResponse:
        try:
            response = self.pool.request(method, url, redirect=False, retries=False, **options)
        except (HTTPError, OSError):
            raise CloudinaryError(UNREACHABLE) from None
        self.slow_down(response)
        body = json_object(response)
        if response.status == 200 and body and "error" not in body:
            return response
        raise error_for(response, body)

    def slow_down(self, response: BaseHTTPResponse) -> None:
        """Spread the second half of the hour's calls over the rest of the hour."""
        limit, remaining = (response.headers.get(f"X-FeatureRateLimit-{name}", "") for name in ("Limit", "Remaining"))
        reset = retry_time(response)
        if reset and limit.isdecimal() and remaining.isdecimal() and int(remaining) * 2 < int(limit):
            now = timezone.now()
            self.next_query_at = now + (reset - now) / max(int(remaining), 1)


def json_object(response: BaseHTTPResponse) -> dict[str, Any]:
    """Return the JSON object of a response, or an empty one for any other body."""
    try:
        body = json.loads(response.data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def retry_time(response: BaseHTTPResponse) -> datetime | None:
    """Return the time that a response names for the next call, at most MAX_WAIT from now."""
    now = timezone.now()
    try:
        if "Retry-After" in response.headers:
            wait = timedelta(seconds=int(response.headers["Retry-After"]))
        else:
            wait = parsedate_to_datetime(response.headers["X-FeatureRateLimit-Reset"]) - now
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return now + min(max(wait, timedelta(0)), MAX_WAIT)


def error_for(response: BaseHTTPResponse, body: Mapping[str, Any]) -> CloudinaryError:
    """Return the error for a failed response, without the response's own text, which is untrusted."""
    status = response.status
    no_calls_left = response.headers.get("X-FeatureRateLimit-Remaining") == "0"
    if status == 429 or (status == 420 and (no_calls_left or "rate limit" in str(body.get("error")).lower())):
        return CloudinaryError(RATE_LIMITED, retry_time(response))
    if status == 404:
        return AssetNotFoundError(ADVICE[404])
    if status in ADVICE:
        return CloudinaryError(ADVICE[status])
    if 400 <= status < 500 and status != 423:
        return PhotoRefusedError(f"Cloudinary refuses this photo (HTTP status {status}).")
    return CloudinaryError(UNREACHABLE, retry_time(response))


def configure() -> Transport:
    """Give the SDK this project's settings only; by default it reads environment variables of its own."""
    config = cloudinary.config()
    vars(config).clear()
    config.update(**{"signature_algorithm": "sha1", "signature_version": 2, **settings.CLOUDINARY})
    transport = Transport(get_http_connector(config, cloudinary.CERT_KWARGS))
    # The SDK has no public setting for its connection pools. pyproject.toml excludes the next major version.
    uploader._http = call_api._http = transport
    return transport


transport = configure()


def upload(public_id: str, file: IO[bytes], moderation: str) -> Answer:
    """Upload a photo unless Cloudinary holds it already."""
    body: dict[str, Any] = uploader.upload(
        file,
        public_id=public_id,
        overwrite=False,
        allowed_formats=["jpg"],
        filename="upload.jpg",
        moderation=moderation,
        # Cloudinary cannot reach a developer's machine.
        notification_url=None if settings.DEBUG else f"https://{settings.DOMAIN_NAME}{reverse('cloudinary_webhook')}",
        **OPTIONS,
    )
    return read_answer(body, public_id)


def find_assets(public_ids: list[str]) -> dict[str, Answer]:
    """Return the existing ones of at most 100 assets, with their moderation."""
    if timezone.now() < transport.next_query_at:
        raise CloudinaryError(RATE_LIMITED, transport.next_query_at)
    listing: Any = api.resources_by_ids(public_ids, moderations=True, **OPTIONS).get("resources")
    listed = {entry.get("public_id"): entry for entry in listing or () if isinstance(entry, dict)}
    found = {}
    for public_id in public_ids:
        body = listed.get(public_id) or {}
        if not body.get("moderation"):
            # A listing can lack what the asset's own details contain.
            try:
                body = api.resource(public_id, **OPTIONS)
            except AssetNotFoundError:
                continue
        found[public_id] = read_answer(body, public_id)
    return found


def read_answer(body: Mapping[str, Any], public_id: str) -> Answer:
    version, entries = body.get("version"), body.get("moderation")
    if body.get("public_id") != public_id or not isinstance(version, int):
        raise CloudinaryError(UNREACHABLE)
    moderation = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return Answer(version, moderation, existing=bool(body.get("existing")))


def approve(public_id: str) -> None:
    """Record a reviewer's approval at Cloudinary."""
    api.update(public_id, moderation_status="approved", **OPTIONS)


def destroy(public_id: str) -> None:
    """Delete an asset and its cached copies. A missing asset is no error."""
    uploader.destroy(public_id, invalidate=True, **OPTIONS)


def delivery_url(public_id: str, version: int, size: int) -> str:
    """Return the signed URL of a photo, scaled down to fit a square of `size` pixels."""
    # A signed URL never expires, so it is only made for users who may see the photo.
    url: str = cloudinary_url(
        public_id,
        type="authenticated",
        version=version,
        format="jpg",
        sign_url=True,
        long_url_signature=True,
        secure=True,
        transformation={"width": size, "height": size, "crop": "limit", "quality": "auto", "fetch_format": "auto"},
    )[0]
    return url
