"""Responses of a real server with TLS: headers, errors, and spoofed requests."""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.baking import run
from tests.support.images import encode, landscape
from tests.support.live import (
    HANG_SECONDS,
    OTHER_USER,
    OWNER,
    PASSWORD,
    Response,
    Site,
    gunicorn,
)

pytestmark = pytest.mark.tier("whole")

# Some are made by Django, one by WhiteNoise. src/secure_django/controls/test_headers.py
# asks for all kinds, without a server.
STATUSES = {
    "page": 200,
    "static file": 200,
    "photo": 200,
    "bad host": 400,
    "too large": 413,
    "crash": 500,
}


@pytest.fixture(scope="session")
def photos(site: Site) -> dict[str, str]:
    """Return the URLs of two published photos. The file of one cannot be read."""
    owner = site.visitor(OWNER)
    for title in ("published", "broken"):
        assert owner.upload(encode(landscape(1, (320, 240))), title=title).status == 302
    found = site.python(
        "Photo.objects.update(status='approved')\n"
        "for photo in Photo.objects.filter(title__in=['published', 'broken']):\n"
        "    print(photo.title, f'/photos/{photo.id}/')"
    )
    urls = dict(line.split() for line in found.splitlines())
    # Opening a folder as a file raises an error like a disk failure, even for root.
    (file,) = Path(site.environment["MEDIA_ROOT"]).glob(
        f"photos/*/{urls['broken'].split('/')[2]}-display.jpg"
    )
    file.unlink()
    file.mkdir()
    return urls


@pytest.fixture(scope="session")
def responses(site: Site, photos: dict[str, str]) -> dict[str, Response]:
    """Return responses by name."""
    visitor = site.visitor()
    page = visitor.get("/")
    sheet = re.search(r"/static/site\.\w+\.css", page.text)
    assert sheet, "no style sheet with a hash in its name"
    return {
        "page": page,
        "static file": visitor.get(sheet[0]),
        "photo": visitor.get(photos["published"] + "thumbnail/"),
        "bad host": visitor.get("/", Host="evil.example"),
        "too large": site.visitor(OWNER).upload(b"x" * (11 * 1024**2)),
        "crash": visitor.get(photos["broken"] + "display/"),
    }


@pytest.mark.parametrize("kind", STATUSES)
def test_security_headers_are_on_the_wire_once(
    kind: str, responses: dict[str, Response]
) -> None:
    assert responses[kind].status == STATUSES[kind]
    headers = responses[kind].headers
    for header, value in {
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }.items():
        assert headers.get_all(header) == [value]
    (policy,) = headers.get_all("Content-Security-Policy", [])
    assert policy.startswith("default-src 'none'")


def test_responses_and_logs_reveal_no_internals(
    responses: dict[str, Response], site: Site
) -> None:
    secrets = [
        site.environment[name]
        for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL", "EMAIL_URL")
    ]
    internals = [
        *secrets,
        str(site.project),
        site.environment["MEDIA_ROOT"],
        "Traceback",
        "IsADirectoryError",
    ]
    for name, response in responses.items():
        text = f"{response.headers}{response.body.decode(errors='replace')}"
        assert not [word for word in internals if word in text], name
    log = site.log.read_text(encoding="utf-8")
    assert not [word for word in [*secrets, PASSWORD, OWNER, OTHER_USER] if word in log]
    assert '"error": "IsADirectoryError"' in log


@pytest.fixture(scope="session")
def plain_port(site: Site) -> Iterator[int]:
    """Return the port of a second server of the project, without TLS."""
    with gunicorn(site.project, site.environment, site.log.with_name("plain.log")) as (
        _,
        port,
    ):
        yield port


def exchange(port: int, request: bytes, site: Site | None = None) -> str:
    """Send raw bytes, over TLS if a site is given, and return the whole response."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS)
    with closing(
        site.tls.wrap_socket(connection, server_hostname="localhost")
        if site
        else connection
    ) as stream:
        stream.sendall(request)
        received = b""
        while chunk := stream.recv(65536):
            received += chunk
    return received.decode()


SPOOFED = [
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Protocol: ssl",
    b"X-Forwarded-Ssl: on",
    b"X_Forwarded_Proto: https",
    b"X-Forwarded_Proto: https",
    b"Forwarded: proto=https",
    b"Front-End-Https: on",
    b"X-Url-Scheme: https",
    b"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: https",
]


@pytest.mark.parametrize("header", [b"Accept: */*", *SPOOFED])
def test_plain_http_is_redirected_despite_spoofed_headers(
    header: bytes, plain_port: int
) -> None:
    request = (
        b"GET /photos/mine/?page=2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        + header
        + b"\r\n\r\n"
    )
    response = exchange(plain_port, request)
    assert response.startswith("HTTP/1.1 301 ")
    assert "Location: https://localhost/photos/mine/?page=2\r\n" in response
    assert "Content-Security-Policy: " in response


HOSTS = {
    "other": b"Host: evil.example",
    "with a port": b"Host: evil.example:443",
    "host as a subdomain": b"Host: localhost.evil.example",
    "subdomain of the host": b"Host: evil.localhost",
    "with user info": b"Host: localhost:1@evil.example",
    "list": b"Host: localhost, evil.example",
    "path": b"Host: localhost/evil.example",
    "two headers": b"Host: localhost\r\nHost: evil.example",
    "two headers, reversed": b"Host: evil.example\r\nHost: localhost",
    "folded": b"Host: localhost\r\n evil.example",
    "empty": b"Host: ",
    "none": b"Accept: */*",
}


@pytest.mark.parametrize("headers", HOSTS.values(), ids=HOSTS)
def test_unknown_host_is_rejected(headers: bytes, site: Site) -> None:
    response = exchange(
        site.port,
        b"GET / HTTP/1.1\r\nConnection: close\r\n" + headers + b"\r\n\r\n",
        site,
    )
    assert response.startswith("HTTP/1.1 400 ")
    assert "evil" not in response


SMUGGLED = {
    "two lengths": b"Content-Length: 4\r\nContent-Length: 40",
    "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked",
    "hidden chunks": b"Transfer-Encoding: identity, chunked, identity",
    "negative length": b"Content-Length: -1",
    "length with an underscore": b"Content-Length: 1_0",
    "space before the colon": b"Content-Length : 4",
    "bare line break": b"Accept: a\rb",
    "null": b"Accept: a\0b",
}


@pytest.mark.parametrize("header", SMUGGLED.values(), ids=SMUGGLED)
def test_ambiguous_request_is_rejected(header: bytes, site: Site) -> None:
    head = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    response = exchange(
        site.port,
        head + header + b"\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        site,
    )
    assert re.match(r"HTTP/1\.1 (400|403|501) ", response)
    assert response.count("HTTP/1.1 ") == 1


BAD = {
    "SECRET_KEY": "canary",
    "SECRET_KEY_FALLBACKS": "canary",
    "FIELD_ENCRYPTION_KEYS": "canary",
    "ALLOWED_HOSTS": "",
    "DATABASE_URL": "canary://canary",
    "CACHE_URL": "canary://canary",
    "EMAIL_URL": "canary",
    "DEFAULT_FROM_EMAIL": "",
    "UPLOAD_MAX_BYTES": "canary",
    "TRUSTED_PROXY_COUNT": "-1",
}


def test_bad_environment_stops_the_start_with_all_problems(
    site: Site, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    environment = site.environment | BAD | {"WEB_CONCURRENCY": "2"}
    with gunicorn(site.project, environment, log) as (server, _):
        assert server.wait(HANG_SECONDS) != 0
    with pytest.raises(AssertionError) as stopped:
        run(site.project, sys.executable, "manage.py", "migrate", **environment)
    for output in (log.read_text(encoding="utf-8"), str(stopped.value)):
        for name in BAD:
            assert f"  {name}: " in output
        assert "canary" not in output
        assert output.count("Booting worker") <= 2, "workers are restarted in a loop"
