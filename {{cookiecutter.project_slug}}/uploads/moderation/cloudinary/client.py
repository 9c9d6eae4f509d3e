"""Calls to Cloudinary. The SDK signs them and the URLs of photos; it has no public way to bound its own requests."""

import json
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from threading import Event, Thread
from typing import IO, Any

import cloudinary
from cloudinary.utils import api_sign_request, cloudinary_url
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from urllib3 import BaseHTTPResponse, PoolManager, make_headers
from urllib3.exceptions import HTTPError

TYPE = "authenticated"  # such an asset needs a signed URL for each delivery
# A redirect would send the signed body to another host, and a repeated POST could upload twice. The timeout is in
# seconds, for the connection and for each read.
OPTIONS: dict[str, Any] = {"redirect": False, "retries": False, "preload_content": False, "timeout": 20}
MAX_SECONDS = 30  # for a whole call: an answer that arrives byte by byte never reaches a read's timeout
MAX_BYTES = 1024**2  # of an answer, after decompression; the details of 20 assets need about 200 kB
MAX_WAIT = timedelta(hours=1)

UNREACHABLE = _("Cloudinary cannot be reached or has an internal error. The call is tried again automatically.")
UNREADABLE = _("Cloudinary's answer about this photo cannot be read. The call is tried again automatically.")
RATE_LIMITED = _("Cloudinary's rate limit is reached. Moderation continues when the limit allows it.")
ADVICE = {
    401: _("Cloudinary rejects the API key or its secret. Correct CLOUDINARY_URL and restart the worker."),
    403: _("The API key lacks a permission. Change the key's permissions in Cloudinary's console."),
    404: _("Cloudinary does not know this cloud name. Correct CLOUDINARY_URL and restart the worker."),
    420: _(
        "Cloudinary rejects this moderation: an add-on is not registered, or its quota is used up. "
        "Register the add-on in Cloudinary's console under Add-ons, or change CLOUDINARY_MODERATION."
    ),
}


@dataclass(frozen=True)
class Answer:
    """What Cloudinary reports about an asset: each entry of `moderation` has a kind, a status and a response."""

    version: int
    moderation: Sequence[Mapping[str, Any]]
    existing: bool  # the upload found the asset and changed nothing


@dataclass(eq=False)
class CloudinaryError(Exception):
    """A failed call: `advice` is for reviewers, `retry_at` is the time that Cloudinary named."""

    advice: str
    retry_at: datetime | None = None


class AssetNotFoundError(CloudinaryError):
    """The asset or the cloud does not exist."""


class PhotoError(CloudinaryError):
    """The answer about one photo is unusable; calls for other photos can succeed."""


class PhotoRefusedError(PhotoError):
    """Cloudinary refuses this photo, so a reviewer decides."""


class Transport:
    """A connection pool for answers that can be a decompression bomb, or arrive byte by byte without an end."""

    def __init__(self) -> None:
        self.pool = PoolManager(**cloudinary.CERT_KWARGS)
        self.socket: Any = None
        self.next_query_at = timezone.now()

    def request(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        host = settings.CLOUDINARY.get("upload_prefix", "https://api.cloudinary.com")
        url = f"{host}/v1_1/{settings.CLOUDINARY['cloud_name']}/{path}"
        pool: Any = self.pool.connection_from_url(url)
        pool.ConnectionCls = partial(self.create_connection, type(pool).ConnectionCls)
        start, done = time.monotonic(), Event()
        Thread(target=self.hang_up, args=[done], daemon=True).start()
        try:
            with self.pool.request(method, url, **OPTIONS, **content) as response:
                answer = response.read(MAX_BYTES)
            if time.monotonic() - start > MAX_SECONDS:
                raise TimeoutError
        except (HTTPError, OSError):
            raise CloudinaryError(UNREACHABLE) from None
        finally:
            done.set()
        self.slow_down(response)
        with suppress(ValueError, RecursionError):
            body = json.loads(answer.decode())  # UTF-8 without a BOM
            if response.status == 200 and isinstance(body, dict) and body and "error" not in body:
                return body
        raise error_for(response, answer)

    def create_connection(self, connection_class: Any, **options: Any) -> Any:
        connection = connection_class(**options)

        def connect() -> None:
            connection_class.connect(connection)
            self.socket = connection.sock

        connection.connect = connect
        return connection

    def hang_up(self, done: Event) -> None:
        """End a call that takes longer than MAX_SECONDS."""
        seconds = MAX_SECONDS
        while not done.wait(seconds):
            seconds = 1  # there may be no connection yet
            with suppress(TypeError, OSError):
                # Not the method of a TLS socket, which must not be called from another thread.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def slow_down(self, response: BaseHTTPResponse) -> None:
        """Spread the second half of the hour's calls over the rest of the hour."""
        reset = retry_time(response)
        with suppress(KeyError, ValueError):
            limit, remaining = (int(response.headers[f"X-FeatureRateLimit-{name}"]) for name in ("Limit", "Remaining"))
            if reset and remaining * 2 < limit:
                now = timezone.now()
                self.next_query_at = now + (reset - now) / max(remaining, 1)


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


def error_for(response: BaseHTTPResponse, content: bytes) -> CloudinaryError:
    """Return the error for a failed response, without the response's own text, which is untrusted."""
    status = response.status
    no_calls_left = response.headers.get("X-FeatureRateLimit-Remaining") == "0"
    if status == 429 or (status == 420 and (no_calls_left or b"rate limit" in content.lower())):
        return CloudinaryError(RATE_LIMITED, retry_time(response))
    if status in ADVICE:
        return (AssetNotFoundError if status == 404 else CloudinaryError)(ADVICE[status])
    if status == 200:
        return PhotoError(UNREADABLE)
    if 400 <= status < 500 and status != 423:
        return PhotoRefusedError(gettext("Cloudinary refuses this photo (HTTP status {status}).").format(status=status))
    return CloudinaryError(UNREACHABLE, retry_time(response))


def configure() -> Transport:
    """Give the SDK this project's settings only; by default it reads environment variables of its own."""
    config = cloudinary.config()
    vars(config).clear()
    config.update(**settings.CLOUDINARY)
    return Transport()


transport = configure()


def administer(method: str, path: str = "", **content: Any) -> dict[str, Any]:
    """Call the Admin API."""
    headers = make_headers(basic_auth="{api_key}:{api_secret}".format(**settings.CLOUDINARY))
    return transport.request(method, f"resources/image/{TYPE}{path}", headers=headers, **content)


def send(action: str, file: dict[str, Any] | None = None, **fields: str) -> dict[str, Any]:
    """Call the Upload API, with a signature of all fields."""
    fields |= {"type": TYPE, "timestamp": str(int(time.time()))}
    algorithm = settings.CLOUDINARY.get("signature_algorithm", "sha1")
    signature = api_sign_request(fields, settings.CLOUDINARY["api_secret"], algorithm)
    fields |= {"api_key": settings.CLOUDINARY["api_key"], "signature": signature}
    return transport.request("POST", f"image/{action}", fields=fields | (file or {}))


def upload(public_id: str, file: IO[bytes], moderation: str) -> Answer:
    """Upload a photo unless Cloudinary holds it already."""
    fields = {"public_id": public_id, "moderation": moderation, "overwrite": "0", "allowed_formats": "jpg"}
    if not settings.DEBUG:  # Cloudinary cannot reach a developer's machine
        fields["notification_url"] = f"https://{settings.DOMAIN_NAME}{reverse('cloudinary_webhook')}"
    return read_answer(send("upload", {"file": ("upload.jpg", file.read())}, **fields), public_id)


def list_assets(public_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return what one call tells about at most 100 assets."""
    if timezone.now() < transport.next_query_at:
        raise CloudinaryError(RATE_LIMITED, transport.next_query_at)
    query = [("moderations", "true"), *(("public_ids[]", public_id) for public_id in public_ids)]
    try:
        return {entry["public_id"]: entry for entry in administer("GET", fields=query)["resources"]}
    except (PhotoError, KeyError, TypeError):  # unreadable: each photo's own details are read instead
        return {}


def find_asset(public_id: str, listed: Mapping[str, Any]) -> Answer | None:
    """Return an asset by its entry in the list, or else by its own details; None if it does not exist."""
    try:
        return read_answer(listed if listed.get("moderation") else administer("GET", f"/{public_id}"), public_id)
    except AssetNotFoundError:
        return None


def read_answer(body: Mapping[str, Any], public_id: str) -> Answer:
    version, entries = body.get("version"), body.get("moderation")
    if body.get("public_id") != public_id or not isinstance(version, int) or not 0 < version < 2**63:
        raise PhotoError(UNREADABLE)
    moderation = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return Answer(version, moderation, existing=bool(body.get("existing")))


def approve(public_id: str) -> None:
    administer("POST", f"/{public_id}", json={"moderation_status": "approved"})


def destroy(public_id: str) -> None:
    """Delete an asset and its cached copies. A missing asset is no error."""
    if send("destroy", public_id=public_id, invalidate="1").get("result") not in ("ok", "not found"):
        raise PhotoError(UNREADABLE)


@lru_cache(maxsize=4096)  # signing takes longer than the rest of a photo's entry in a page
def delivery_url(public_id: str, version: int, size: int) -> str:
    """Return the signed URL of a photo, scaled down to fit a square of `size` pixels."""
    # A signed URL never expires, so it is only made for users who may see the photo.
    signed = {"type": TYPE, "secure": True, "sign_url": True, "long_url_signature": True}
    scaled = {"width": size, "height": size, "crop": "limit", "quality": "auto", "fetch_format": "auto"}
    return str(cloudinary_url(public_id, version=version, format="jpg", transformation=scaled, **signed)[0])
