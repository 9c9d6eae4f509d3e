"""A registry of images on this machine, by HTTPS, under the names of the real ones.

`sitecustomize.py`, which a child process imports at its start, sends what it asks of
other machines by HTTPS to this one. Its certificate has their names.
"""

import datetime as dt
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HUB = "registry-1.docker.io"
LOGIN = "auth.docker.io"
BLOBS = "blobs.example.com"
HOSTS = (HUB, LOGIN, BLOBS, "ghcr.io", "slow.example.com", "busy.example.com")
TOKEN = "made-up-token"  # noqa: S105
PAGE = 2  # tags
REDIRECT = """\
import socket

connect = socket.create_connection


def connect_here(address, *arguments, **options):
    if address[1] == 443:
        address = ("127.0.0.1", {port})
    return connect(address, *arguments, **options)


socket.create_connection = connect_here
"""


def digest_of(image: str) -> str:
    """Return the digest of an image's tag, as in nginx:1.30-alpine."""
    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()


@dataclass
class Registry:
    """The tags of each repository, those built yesterday, and what was asked."""

    tags: dict[str, list[str]]
    young: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


@contextmanager
def serve_images(registry: Registry, folder: Path) -> Iterator[Registry]:
    """Serve the images; `environment` is that of a process that shall find them."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self, registry)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    certificate = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    (folder / "sitecustomize.py").write_text(
        REDIRECT.format(port=port), encoding="utf-8"
    )
    registry.environment = {
        "PYTHONPATH": str(folder),
        "SSL_CERT_FILE": str(certificate),
        "no_proxy": "*",
    }
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()


def answer(handler: BaseHTTPRequestHandler, registry: Registry) -> None:
    """Answer as a registry does: no word without a token, and tags in pages."""
    host = handler.headers["Host"]
    url = urlsplit(handler.path)
    token = handler.headers.get("Authorization", "")
    registry.asked.append((host, url.path, bool(token)))
    parts = url.path.split("/")
    if host == LOGIN:
        send(handler, {"token": TOKEN})
    elif host == BLOBS:
        send_config(handler, registry, parts[-1])
    elif host == "slow.example.com":
        time.sleep(30)
    elif host == "busy.example.com" and len(registry.asked) < 2:
        send(handler, {}, 429, {"Retry-After": "1"})
    elif token != f"Bearer {TOKEN}":
        realm = f'Bearer realm="https://{LOGIN}/token",service="made-up"'
        send(handler, {}, 401, {"WWW-Authenticate": realm})
    elif "tags" in parts:
        send_tags(handler, registry, "/".join(parts[2:-2]), url.query)
    elif "blobs" in parts:
        moved = {"Location": f"https://{BLOBS}/{parts[-1]}"}
        send(handler, {}, 307, moved)
    else:
        send_manifest(handler, registry, "/".join(parts[2:-2]), parts[-1])


def send(
    handler: BaseHTTPRequestHandler,
    content: object,
    code: int = 200,
    headers: dict[str, str] | None = None,
) -> None:
    """Send an answer in JSON."""
    body = json.dumps(content).encode()
    handler.send_response(code)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def send_tags(
    handler: BaseHTTPRequestHandler, registry: Registry, name: str, query: str
) -> None:
    """Send a page of tags, and where the next page is."""
    tags = registry.tags.get(name)
    if tags is None:
        send(handler, {}, 404)
        return
    start = int(parse_qs(query).get("last", ["0"])[0])
    end = start + PAGE
    headers = {}
    if end < len(tags):
        following = f"/v2/{name}/tags/list?n={PAGE}&last={end}"
        headers["Link"] = f'<{following}>; rel="next"'
    send(handler, {"name": name, "tags": tags[start:end]}, 200, headers)


def send_manifest(
    handler: BaseHTTPRequestHandler, registry: Registry, name: str, reference: str
) -> None:
    """Send the index of a tag, or the manifest of its only platform."""
    if reference.startswith("sha256:"):
        send(handler, {"config": {"digest": reference}})
        return
    if reference not in registry.tags.get(name, []):
        send(handler, {}, 404)
        return
    assert "vnd.oci.image.index.v1+json" in handler.headers["Accept"]
    digest = digest_of(f"{name.removeprefix('library/')}:{reference}")
    registry.young |= {digest} if reference in registry.young else set()
    index = {"manifests": [{"digest": digest}]}
    send(handler, index, 200, {"Docker-Content-Digest": digest})


def send_config(
    handler: BaseHTTPRequestHandler, registry: Registry, digest: str
) -> None:
    """Send when an image was built."""
    days = 1 if digest in registry.young else 8
    built = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    send(handler, {"created": built.isoformat().replace("+00:00", "Z")})


def make_certificate(folder: Path) -> Path:
    """Write a key and a certificate for the hosts into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry of tests")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "registry.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file
