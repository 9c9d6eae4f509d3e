"""Calls to Cloudinary.

The SDK only signs the calls and the URLs of photos, since it has no public way to bound
its own requests.
"""

import json
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache, partial
from http.client import (
    HTTPConnection,  # noqa: TID251  # for CLOUDINARY_URL, which no user gives
    HTTPException,
    HTTPResponse,
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

from secure_django.fetch import BoundedSocket
from secure_django.web.links import absolute_url

TYPE = "authenticated"  # such an asset needs a signed URL for each delivery
CONNECT_SECONDS = 5  # for each IP address of Cloudinary: several may not answer
MAX_SECONDS = 30  # for a whole call, unless the connection alone takes longer
MAX_BYTES = 1024**2  # of an answer; the details of 20 assets need about 200 kB
TLS = ssl.create_default_context(cafile=cloudinary.CERT_KWARGS["ca_certs"])
CONNECTIONS: dict[str, Any] = {
    "https": partial(HTTPSConnection, context=TLS),
    "http": HTTPConnection,
}

type JsonObject = dict[str, Any]

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
) -> JsonObject:
    """Return Cloudinary's answer, or raise CloudinaryError."""
    try:
        response, content = exchange(method, path, body, headers)
    except (HTTPException, OSError, ValueError):  # ValueError: a length below -1
        raise CloudinaryError(UNREACHABLE) from None
    answer = parse_object(content)
    if response.status == 200 and answer and "error" not in answer:
        return answer
    raise error_for(response.status, response.headers, content)


def exchange(
    method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[HTTPResponse, bytes]:
    """Send a request, and return its response with the content.

    http.client follows no redirect, repeats no request and decompresses nothing.
    """
    prefix = settings.CLOUDINARY.get("upload_prefix", "https://api.cloudinary.com")
    scheme, _, host = prefix.partition("://")
    url = f"/v1_1/{settings.CLOUDINARY['cloud_name']}/{path}"
    end = time.monotonic() + MAX_SECONDS
    with closing(CONNECTIONS[scheme](host, timeout=CONNECT_SECONDS)) as connection:
        connection.connect()
        with connection.sock as socket:
            connection.sock = BoundedSocket(socket, end, 2 * MAX_BYTES)
            connection.request(method, url, body, headers)
            response = connection.getresponse()
            return response, response.read(MAX_BYTES)


def parse_object(content: bytes) -> JsonObject:
    """Return the JSON object in `content`, or an empty one if there is none."""
    try:
        parsed = json.loads(content.decode())  # UTF-8 without a BOM
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def error_for(status: int, headers: Message, content: bytes) -> CloudinaryError:
    """Return the error for a failed call, without the answer's own, untrusted text."""
    no_calls_left = headers["X-FeatureRateLimit-Remaining"] == "0"
    names_limit = b"rate limit" in content.lower()
    if status == 429 or (status == 420 and (no_calls_left or names_limit)):
        return CloudinaryError(RATE_LIMITED)
    if status == 404:
        return AssetNotFoundError(ADVICE[status])
    if status in ADVICE:
        return CloudinaryError(ADVICE[status])
    if status == 200:
        return PhotoError(UNREADABLE)
    if 400 <= status < 500 and status != 423:
        text = gettext("Cloudinary refuses this photo (HTTP status {status}).")
        return PhotoRefusedError(text.format(status=status))
    return CloudinaryError(UNREACHABLE)


def configure() -> None:
    """Give the SDK this project's settings only, not its own environment variables."""
    config = cloudinary.config()
    vars(config).clear()
    config.update(**settings.CLOUDINARY)


configure()


def administer(method: str, path: str, body: bytes | None = None) -> JsonObject:
    """Call the Admin API."""
    login = "{api_key}:{api_secret}".format(**settings.CLOUDINARY)
    token = b64encode(login.encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    resource = f"resources/image/{TYPE}{path}"
    return call(method, resource, body, **headers)


def send(action: str, file: JsonObject | None = None, **fields: str) -> JsonObject:
    """Call the Upload API, with a signature of all fields."""
    fields |= {"type": TYPE, "timestamp": str(int(time.time()))}
    config = settings.CLOUDINARY
    algorithm = config.get("signature_algorithm", "sha1")
    signature = api_sign_request(fields, config["api_secret"], algorithm)
    fields |= {"api_key": config["api_key"], "signature": signature}
    parts = fields | (file or {})
    body, content_type = encode_multipart_formdata(parts)
    return call("POST", f"image/{action}", body, **{"Content-Type": content_type})


def notification_url() -> str:
    return absolute_url(reverse("cloudinary_webhook"))


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
    named_file = ("upload.jpg", file.read())
    answer = send("upload", {"file": named_file}, **fields)
    return read_answer(answer, public_id)


def list_assets(public_ids: list[str]) -> dict[str, JsonObject]:
    """Return what one call reports about at most 100 assets."""
    query = urlencode({"moderations": "true", "public_ids[]": public_ids}, doseq=True)
    try:
        entries = administer("GET", f"?{query}")["resources"]
        return {entry["public_id"]: entry for entry in entries}
    except (PhotoError, KeyError, TypeError):
        # Unreadable: each photo's own details are read instead.
        return {}


def find_asset(public_id: str, listed: Mapping[str, Any]) -> Answer | None:
    """Return an asset from the list, or else from its own details; None if missing."""
    if listed.get("moderation"):
        return read_answer(listed, public_id)
    try:
        return read_answer(administer("GET", f"/{public_id}"), public_id)
    except AssetNotFoundError:
        return None


def read_answer(body: Mapping[str, Any], public_id: str) -> Answer:
    if body.get("public_id") != public_id:
        raise PhotoError(UNREADABLE)
    version = body.get("version")
    if not isinstance(version, int) or not 0 < version < 2**63:
        raise PhotoError(UNREADABLE)
    entries = body.get("moderation")
    if not isinstance(entries, list):
        entries = []
    moderation = [entry for entry in entries if isinstance(entry, dict)]
    return Answer(version, moderation, existing=bool(body.get("existing")))


def approve(public_id: str) -> None:
    body = json.dumps({"moderation_status": "approved"})
    administer("POST", f"/{public_id}", body.encode())


def destroy(public_id: str) -> None:
    """Delete an asset and its cached copies. A missing asset is no error."""
    answer = send("destroy", public_id=public_id, invalidate="1")
    if answer.get("result") not in ("ok", "not found"):
        raise PhotoError(UNREADABLE)


# Signing takes longer than the rest of a photo's entry in a page.
@lru_cache(maxsize=4096)
def delivery_url(public_id: str, version: int, size: int) -> str:
    """Return a photo's signed URL, scaled down to fit a square of `size` pixels."""
    transformation = {
        "width": size,
        "height": size,
        "crop": "limit",
        "quality": "auto",
        "fetch_format": "auto",
    }
    # A signed URL never expires, so it is only made for users who may see the photo.
    options = {
        "type": TYPE,
        "version": version,
        "format": "jpg",
        "transformation": transformation,
        "secure": True,
        "sign_url": True,
        "long_url_signature": True,
    }
    url, _ = cloudinary_url(public_id, **options)
    return str(url)
