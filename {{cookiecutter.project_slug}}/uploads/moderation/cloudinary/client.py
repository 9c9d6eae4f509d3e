"""Calls to Cloudinary.

The SDK signs them and the URLs of photos. It has no public way to bound its own
requests.
"""

import json
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache, partial
from http.client import (
    HTTPConnection,  # noqa: TID251  # for CLOUDINARY_URL, which no user gives
    HTTPException,
    HTTPSConnection,  # noqa: TID251  # as HTTPConnection
)
from typing import IO, Any
from urllib.parse import urlencode

import cloudinary
from cloudinary.utils import api_sign_request, cloudinary_url
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from urllib3 import encode_multipart_formdata  # noqa: TID251  # it sends nothing

from core.fetch import BoundedSocket

TYPE = "authenticated"  # such an asset needs a signed URL for each delivery
CONNECT_SECONDS = 5  # for each IP address of Cloudinary: several may not answer
MAX_SECONDS = 30  # for a whole call, after the connection
MAX_BYTES = 1024**2  # of an answer; the details of 20 assets need about 200 kB
TLS = ssl.create_default_context(cafile=cloudinary.CERT_KWARGS["ca_certs"])
CONNECTIONS: dict[str, Any] = {
    "https": partial(HTTPSConnection, context=TLS),
    "http": HTTPConnection,
}

UNREACHABLE = _(
    "Cloudinary cannot be reached or has an internal error. "
    "The call is tried again automatically."
)
UNREADABLE = _(
    "Cloudinary's answer about this photo cannot be read. "
    "The call is tried again automatically."
)
RATE_LIMITED = _(
    "Cloudinary's rate limit is reached. Moderation continues when the limit allows it."
)
ADVICE = {
    401: _(
        "Cloudinary rejects the API key or its secret. "
        "Correct CLOUDINARY_URL and restart the worker."
    ),
    403: _(
        "The API key lacks a permission. "
        "Change the key's permissions in Cloudinary's console."
    ),
    404: _(
        "Cloudinary does not know this cloud name. "
        "Correct CLOUDINARY_URL and restart the worker."
    ),
    420: _(
        "Cloudinary rejects this moderation: "
        "an add-on is not registered, or its quota is used up. "
        "Register the add-on in Cloudinary's console under Add-ons, "
        "or change CLOUDINARY_MODERATION."
    ),
}


@dataclass(frozen=True)
class Answer:
    """What Cloudinary reports about an asset.

    Each entry of `moderation` has a kind, a status and a response.
    """

    version: int
    moderation: Sequence[Mapping[str, Any]]
    existing: bool  # the upload found the asset and changed nothing


@dataclass(eq=False)
class CloudinaryError(Exception):
    """A failed call, with advice for reviewers."""

    advice: str


class AssetNotFoundError(CloudinaryError):
    """The asset or the cloud does not exist."""


class PhotoError(CloudinaryError):
    """The answer about one photo is unusable; calls for other photos can succeed."""


class PhotoRefusedError(PhotoError):
    """Cloudinary refuses this photo, so a reviewer decides."""


def call(
    method: str, path: str, body: bytes | None = None, **headers: str
) -> dict[str, Any]:
    """Return Cloudinary's answer.

    http.client follows no redirect, repeats no request and decompresses nothing.
    """
    scheme, _, host = settings.CLOUDINARY.get(
        "upload_prefix", "https://api.cloudinary.com"
    ).partition("://")
    url = f"/v1_1/{settings.CLOUDINARY['cloud_name']}/{path}"
    end = time.monotonic() + MAX_SECONDS
    try:
        with closing(CONNECTIONS[scheme](host, timeout=CONNECT_SECONDS)) as connection:
            connection.connect()
            with connection.sock as socket:
                connection.sock = BoundedSocket(socket, end, 2 * MAX_BYTES)
                connection.request(method, url, body, headers)
                response = connection.getresponse()
                answer = response.read(MAX_BYTES)
    except (HTTPException, OSError, ValueError):  # the last for other negative lengths
        raise CloudinaryError(UNREACHABLE) from None
    with suppress(ValueError, RecursionError):
        found = json.loads(answer.decode())  # UTF-8 without a BOM
        if (
            response.status == 200
            and isinstance(found, dict)
            and found
            and "error" not in found
        ):
            return found
    raise error_for(response.status, response.headers, answer)


def error_for(status: int, headers: Message, content: bytes) -> CloudinaryError:
    """Return the error for a failed call, without the answer's own, untrusted text."""
    no_calls_left = headers["X-FeatureRateLimit-Remaining"] == "0"
    if status == 429 or (
        status == 420 and (no_calls_left or b"rate limit" in content.lower())
    ):
        return CloudinaryError(RATE_LIMITED)
    if status in ADVICE:
        return (AssetNotFoundError if status == 404 else CloudinaryError)(
            ADVICE[status]
        )
    if status == 200:
        return PhotoError(UNREADABLE)
    if 400 <= status < 500 and status != 423:
        return PhotoRefusedError(
            gettext("Cloudinary refuses this photo (HTTP status {status}).").format(
                status=status
            )
        )
    return CloudinaryError(UNREACHABLE)


def configure() -> None:
    """Give the SDK this project's settings only, not its own environment variables."""
    config = cloudinary.config()
    vars(config).clear()
    config.update(**settings.CLOUDINARY)


configure()


def administer(method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    """Call the Admin API."""
    login = b64encode(
        "{api_key}:{api_secret}".format(**settings.CLOUDINARY).encode()
    ).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    return call(method, f"resources/image/{TYPE}{path}", body, **headers)


def send(
    action: str, file: dict[str, Any] | None = None, **fields: str
) -> dict[str, Any]:
    """Call the Upload API, with a signature of all fields."""
    fields |= {"type": TYPE, "timestamp": str(int(time.time()))}
    algorithm = settings.CLOUDINARY.get("signature_algorithm", "sha1")
    signature = api_sign_request(fields, settings.CLOUDINARY["api_secret"], algorithm)
    fields |= {"api_key": settings.CLOUDINARY["api_key"], "signature": signature}
    body, content_type = encode_multipart_formdata(fields | (file or {}))
    return call("POST", f"image/{action}", body, **{"Content-Type": content_type})


def notification_url() -> str:
    return f"https://{settings.DOMAIN_NAME}{reverse('cloudinary_webhook')}"


def upload(public_id: str, file: IO[bytes], moderation: str) -> Answer:
    """Upload a photo unless Cloudinary holds it already."""
    fields = {
        "public_id": public_id,
        "moderation": moderation,
        "overwrite": "0",
        "allowed_formats": "jpg",
    }
    if not settings.DEBUG:  # Cloudinary cannot reach a developer's machine
        fields["notification_url"] = notification_url()
    return read_answer(
        send("upload", {"file": ("upload.jpg", file.read())}, **fields), public_id
    )


def list_assets(public_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return what one call tells about at most 100 assets."""
    query = urlencode({"moderations": "true", "public_ids[]": public_ids}, doseq=True)
    try:
        return {
            entry["public_id"]: entry
            for entry in administer("GET", f"?{query}")["resources"]
        }
    except (PhotoError, KeyError, TypeError):
        # Unreadable: each photo's own details are read instead.
        return {}


def find_asset(public_id: str, listed: Mapping[str, Any]) -> Answer | None:
    """Return an asset from the list, or else from its own details; None if missing."""
    try:
        return read_answer(
            listed if listed.get("moderation") else administer("GET", f"/{public_id}"),
            public_id,
        )
    except AssetNotFoundError:
        return None


def read_answer(body: Mapping[str, Any], public_id: str) -> Answer:
    version, entries = body.get("version"), body.get("moderation")
    if (
        body.get("public_id") != public_id
        or not isinstance(version, int)
        or not 0 < version < 2**63
    ):
        raise PhotoError(UNREADABLE)
    moderation = (
        [entry for entry in entries if isinstance(entry, dict)]
        if isinstance(entries, list)
        else []
    )
    return Answer(version, moderation, existing=bool(body.get("existing")))


def approve(public_id: str) -> None:
    administer(
        "POST", f"/{public_id}", json.dumps({"moderation_status": "approved"}).encode()
    )


def destroy(public_id: str) -> None:
    """Delete an asset and its cached copies. A missing asset is no error."""
    if send("destroy", public_id=public_id, invalidate="1").get("result") not in (
        "ok",
        "not found",
    ):
        raise PhotoError(UNREADABLE)


# Signing takes longer than the rest of a photo's entry in a page.
@lru_cache(maxsize=4096)
def delivery_url(public_id: str, version: int, size: int) -> str:
    """Return a photo's signed URL, scaled down to fit a square of `size` pixels."""
    # A signed URL never expires, so it is only made for users who may see the photo.
    signed = {
        "type": TYPE,
        "secure": True,
        "sign_url": True,
        "long_url_signature": True,
    }
    scaled = {
        "width": size,
        "height": size,
        "crop": "limit",
        "quality": "auto",
        "fetch_format": "auto",
    }
    return str(
        cloudinary_url(
            public_id, version=version, format="jpg", transformation=scaled, **signed
        )[0]
    )
