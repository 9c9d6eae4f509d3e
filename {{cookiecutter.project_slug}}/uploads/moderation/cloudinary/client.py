"""Cloudinary's SDK, behind a transport that closes what it leaves open."""

import json
from collections.abc import Mapping
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

type Answer = Mapping[str, Any]

# Each call says both: `authenticated` needs a signed address for every delivery, and the uploader has no timeout
# (in seconds, for connecting and for each read).
OPTIONS: dict[str, Any] = {"type": "authenticated", "timeout": 20}
LONGEST_WAIT = timedelta(hours=1)

UNREACHABLE = "Cloudinary can't be reached or has a fault. This is tried again by itself."
LIMITED = "Cloudinary's limit of calls is used up. This goes on by itself when the limit allows."
ADVICE = {
    401: "Cloudinary refuses the key or its secret. Correct CLOUDINARY_URL and restart the worker.",
    403: "Cloudinary does not allow this to the key. Change the key's permissions in Cloudinary's console.",
    404: "Cloudinary does not know this cloud. Correct CLOUDINARY_URL and restart the worker.",
    420: "Cloudinary refuses this moderation: an add-on is not registered, or its quota is used up. "
    "Register it in Cloudinary's console under Add-ons, or change CLOUDINARY_MODERATION.",
}


class Problem(Exception):
    """Why a call came to nothing, as reviewers may read it, and when to come back if Cloudinary said so."""

    def __init__(self, advice: str, until: datetime | None = None) -> None:
        super().__init__(advice)
        self.advice, self.until = advice, until


class Missing(Problem):
    """There is no such asset, or no such cloud."""


class Refused(Problem):
    """This one photo is at fault; others may fare better."""


class Transport:
    """The SDK's connection pool, with an eye on what the SDK does not look at.

    A redirect would carry the signed body to another host, a repeated POST would double what has no known outcome,
    a status other than 200 counts as success when its body is JSON, and headers of refusals are dropped.
    """

    def __init__(self, pool: PoolManager) -> None:
        self.pool = pool
        self.next_question = timezone.now()

    def request(self, method: str, url: str, **options: Any) -> BaseHTTPResponse:
        try:
            response = self.pool.request(method, url, redirect=False, retries=False, **options)
        except (HTTPError, OSError):
            raise Problem(UNREACHABLE) from None
        self.note_limit(response)
        answer = parse(response)
        if response.status == 200 and answer and "error" not in answer:
            return response
        raise problem(response, answer)

    def note_limit(self, response: BaseHTTPResponse) -> None:
        """Spreads the second half of the calls that an hour allows over the rest of the hour."""
        allowed, left = (response.headers.get(f"X-FeatureRateLimit-{name}", "") for name in ("Limit", "Remaining"))
        reset = announced(response)
        if reset and allowed.isdecimal() and left.isdecimal() and int(left) * 2 < int(allowed):
            now = timezone.now()
            self.next_question = now + (reset - now) / max(int(left), 1)


def parse(response: BaseHTTPResponse) -> dict[str, Any]:
    """Returns the JSON object of a response, an empty one for anything else."""
    try:
        answer = json.loads(response.data)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def announced(response: BaseHTTPResponse) -> datetime | None:
    """Returns when a response says to come back, at most LONGEST_WAIT from now."""
    now = timezone.now()
    try:
        if "Retry-After" in response.headers:
            wait = timedelta(seconds=int(response.headers["Retry-After"]))
        else:
            wait = parsedate_to_datetime(response.headers["X-FeatureRateLimit-Reset"]) - now
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return now + min(max(wait, timedelta(0)), LONGEST_WAIT)


def problem(response: BaseHTTPResponse, answer: Answer) -> Problem:
    """Names what a response other than success means; its own text stays out, since it can hold anything."""
    status = response.status
    out_of_calls = response.headers.get("X-FeatureRateLimit-Remaining") == "0"
    if status == 429 or (status == 420 and (out_of_calls or "rate limit" in str(answer.get("error")).lower())):
        return Problem(LIMITED, announced(response))
    if status == 404:
        return Missing(ADVICE[404])
    if status in ADVICE:
        return Problem(ADVICE[status])
    if 400 <= status < 500 and status != 423:
        return Refused(f"Cloudinary refuses this photo (status {status}).")
    return Problem(UNREACHABLE, announced(response))


def configure() -> Transport:
    """Gives the SDK the settings of this project alone; by itself it would prefer variables of the environment."""
    config = cloudinary.config()
    vars(config).clear()
    config.update(**{"signature_algorithm": "sha1", "signature_version": 2, **settings.CLOUDINARY})
    transport = Transport(get_http_connector(config, cloudinary.CERT_KWARGS))
    uploader._http = call_api._http = transport
    return transport


transport = configure()


def send(public_id: str, file: IO[bytes], moderation: str) -> Answer:
    """Uploads a photo unless it is there already, which the answer then says by `existing`."""
    answer: Answer = uploader.upload(
        file,
        public_id=public_id,
        overwrite=False,
        allowed_formats=["jpg"],
        filename="upload.jpg",
        moderation=moderation,
        # From a developer's machine there is no way back.
        notification_url=None if settings.DEBUG else f"https://{settings.DOMAIN_NAME}{reverse('cloudinary_webhook')}",
        **OPTIONS,
    )
    return checked(answer, public_id)


def find(public_ids: list[str]) -> dict[str, Answer]:
    """Returns what Cloudinary holds of these assets (100 at most), with their moderation."""
    if timezone.now() < transport.next_question:
        raise Problem(LIMITED, transport.next_question)
    listing: Any = api.resources_by_ids(public_ids, moderations=True, **OPTIONS).get("resources")
    listed = {entry.get("public_id"): entry for entry in listing or () if isinstance(entry, dict)}
    found = {}
    for public_id in public_ids:
        answer = listed.get(public_id) or {}
        if not answer.get("moderation"):
            # What a list leaves out, the asset's own page may still tell.
            try:
                answer = api.resource(public_id, **OPTIONS)
            except Missing:
                continue
        found[public_id] = checked(answer, public_id)
    return found


def checked(answer: Answer, public_id: str) -> Answer:
    if answer.get("public_id") != public_id or not isinstance(answer.get("version"), int):
        raise Problem(UNREACHABLE)
    return answer


def approve(public_id: str) -> None:
    """Tells Cloudinary that a person has approved the photo."""
    api.update(public_id, moderation_status="approved", **OPTIONS)


def destroy(public_id: str) -> None:
    """Deletes an asset and its copies in caches; one that is not there is as good as deleted."""
    uploader.destroy(public_id, invalidate=True, **OPTIONS)


def delivery_url(public_id: str, version: int, size: int) -> str:
    """Returns the signed address of a photo, made to fit a square of `size` pixels."""
    # A signed address is good for ever, so it is only made for those who may see the photo.
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
