"""A local server for this project's calls of Cloudinary's documented API."""

import email
import hashlib
import json
import time
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

type Fault = Callable[["Handler"], None]
# The fixtures in conftest.py.
type RunWorker = Callable[[], None]
type Notify = Callable[..., Any]

KEY = "key"
SECRET = "secret"
CLOUD = "cloud"
BASE = f"/v1_1/{CLOUD}/"
WEBHOOK = "/webhooks/cloudinary/"


def moderation(content: str, malware: str) -> list[dict[str, str]]:
    """Return the statuses of both kinds as Cloudinary lists them."""
    return [
        {"kind": "aws_rek", "status": content},
        {"kind": "perception_point", "status": malware},
    ]


def approval(public_id: object) -> dict[str, str]:
    """Return the body of a notification that an asset is approved."""
    return {
        "notification_type": "moderation",
        "public_id": str(public_id),
        "moderation_status": "approved",
    }


def signed_headers(
    body: bytes, *, secret: str = SECRET, digest: str = "sha1", age: int = 0
) -> dict[str, str]:
    """Return the headers of a notification that was signed `age` seconds ago."""
    timestamp = str(int(time.time()) - age)
    signed = body + f"{timestamp}{secret}".encode()
    signature = hashlib.new(digest, signed).hexdigest()
    return {"X-Cld-Timestamp": timestamp, "X-Cld-Signature": signature}


class Cloud(ThreadingHTTPServer):
    """Hold assets by public ID and record all calls.

    Each of `faults` answers one of the next requests.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.assets: dict[str, dict[str, Any]] = {}
        self.uploads: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.digest = "sha1"
        self.faults: list[Fault] = []
        self.headers: dict[str, str] = {}
        # The moderation of an uploaded photo; None omits it from the response.
        self.moderation: Any = moderation("pending", "queued")

    def start(self) -> None:
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def cloudinary_url(self) -> str:
        """The value of CLOUDINARY_URL that leads to this server."""
        return f"cloudinary://{KEY}:{SECRET}@{CLOUD}?upload_prefix={self.url}"

    def decide(self, *statuses: str) -> None:
        """Set the statuses of every asset's kinds, in their order."""
        for asset in self.assets.values():
            for entry, status in zip(asset["moderation"], statuses, strict=True):
                entry["status"] = status


class Handler(BaseHTTPRequestHandler):
    server: Cloud
    body = b""

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(length)
        url = urlsplit(self.path)
        action = url.path.removeprefix(BASE)
        self.server.calls.append(f"{self.command} {action}")
        if self.server.faults:
            return self.server.faults.pop(0)(self)
        if action.startswith("resources/image/authenticated"):
            key = action.partition("authenticated/")[2]
            return self.administer(key, parse_qs(url.query))
        fields = self.fields()
        if not self.is_signed(fields):
            return self.reply(401, {"error": {"message": "Invalid Signature"}})
        return self.upload(fields) if action == "image/upload" else self.destroy(fields)

    def upload(self, fields: dict[str, Any]) -> None:
        public_id = fields["public_id"]
        known = self.server.assets.get(public_id)
        if known and fields["overwrite"] == "0":
            answer = {name: known[name] for name in ("public_id", "version")}
            return self.reply(200, answer | {"existing": True})
        self.server.uploads.append(fields)
        asset = {
            "public_id": public_id,
            "version": int(time.time()),
            "type": fields["type"],
        }
        if self.server.moderation is not None:
            asset["moderation"] = json.loads(json.dumps(self.server.moderation))
        self.server.assets[public_id] = asset
        return self.reply(200, asset)

    def destroy(self, fields: dict[str, Any]) -> None:
        assert fields["invalidate"] == "1"  # without it, copies in caches would stay
        gone = self.server.assets.pop(fields["public_id"], None)
        self.reply(200, {"result": "ok" if gone else "not found"})

    def administer(self, public_id: str, query: dict[str, list[str]]) -> None:
        if (
            self.headers.get("Authorization")
            != f"Basic {b64encode(f'{KEY}:{SECRET}'.encode()).decode()}"
        ):
            return self.reply(401, {"error": {"message": "unknown api_key"}})
        assets = self.server.assets
        if not public_id:
            keys = [key for key in query["public_ids[]"] if key in assets]
            listed = [dict(assets[key]) for key in keys]
            if query.get("moderations") != ["true"]:
                listed = [
                    {name: asset[name] for name in asset if name != "moderation"}
                    for asset in listed
                ]
            return self.reply(200, {"resources": listed})
        if public_id not in assets:
            return self.reply(404, {"error": {"message": "Resource not found"}})
        if self.command == "POST":
            manual = {
                "kind": "manual",
                "status": json.loads(self.body)["moderation_status"],
            }
            assets[public_id]["moderation"] = [
                *assets[public_id].get("moderation", ()),
                manual,
            ]
        return self.reply(200, assets[public_id])

    def reply(
        self, status: int, answer: dict[str, Any] | str | bytes, **headers: str
    ) -> None:
        body = json.dumps(answer) if isinstance(answer, dict) else answer
        self.send_response(status)
        for name, value in (self.server.headers | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        content = body.encode() if isinstance(body, str) else body
        self.wfile.write(content)

    def fields(self) -> dict[str, Any]:
        """Return the form's fields; a file is its name and its bytes."""
        header = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n"
        message = email.message_from_bytes(header.encode() + self.body)
        fields: dict[str, Any] = {}
        for part in message.walk():
            if name := part.get_param("name", header="content-disposition"):
                content: Any = part.get_payload(decode=True)
                fields[str(name)] = (
                    (part.get_filename(), content)
                    if part.get_filename()
                    else content.decode()
                )
        return fields

    def is_signed(self, fields: dict[str, Any]) -> bool:
        signed = {
            name: value
            for name, value in fields.items()
            if name not in {"file", "api_key", "signature"}
        }
        pairs = [f"{name}={value}" for name, value in signed.items()]
        text = "&".join(sorted(pair.replace("&", "%26") for pair in pairs))
        secret_text = f"{text}{SECRET}".encode()
        expected = hashlib.new(self.server.digest, secret_text).hexdigest()
        return bool(fields.get("signature") == expected)
