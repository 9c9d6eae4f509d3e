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
    ADMIN,
    HANG_SECONDS,
    OTHER_USER,
    OWNER,
    PASSWORD,
    Response,
    Site,
    gunicorn,
)

pytestmark = pytest.mark.tier("whole")

STATUSES = {
    "page": 200,
    "log-in": 200,
    "admin log-in": 302,
    "own page": 200,
    "admin": 200,
    "static file": 200,
    "photo": 200,
    "own hidden photo": 200,
    "security.txt": 200,
    "health": 200,
    "redirect": 302,
    "slash added": 301,
    "bad host": 400,
    "no CSRF token": 403,
    "forbidden": 403,
    "missing": 404,
    "missing static file": 404,
    "other user's hidden photo": 404,
    "method": 405,
    "unusual method": 405,
    "too large": 413,
    "crash": 500,
    "log-out": 302,
}


@pytest.fixture(scope="session")
def photos(site: Site) -> dict[str, str]:
    """Return the URLs of the pages and files of three photos of one owner.

    One is published, one is hidden, and the file of one cannot be read.
    """
    owner = site.visitor(OWNER)
    for title in ("published", "hidden", "broken"):
        assert owner.upload(encode(landscape(1, (320, 240))), title=title).status == 302
    site.python(
        "published = Photo.objects.filter(title__in=['published', 'broken'])\n"
        "published.update(status='approved')"
    )
    found = site.python(
        "titles = ['published', 'hidden', 'broken']\n"
        "for photo in Photo.objects.filter(title__in=titles):\n"
        "    print(photo.title, f'/photos/{photo.id}/')\n"
        "    print(f'page of {photo.title}', photo.get_absolute_url())"
    )
    urls = dict(line.rsplit(" ", 1) for line in found.splitlines())
    # Opening a folder as a file raises an error like a disk failure, even for root.
    (file,) = Path(site.environment["MEDIA_ROOT"]).glob(
        f"photos/*/{urls['broken'].split('/')[2]}-display.jpg"
    )
    file.unlink()
    file.mkdir()
    return urls


@pytest.fixture(scope="session")
def responses(site: Site, photos: dict[str, str]) -> dict[str, Response]:
    """Return a response of every kind, by name."""
    visitor, owner, other_user, admin = (
        site.visitor(email) for email in ("", OWNER, OTHER_USER, ADMIN)
    )
    site.python(
        "User.objects.create_user('clerk@example.com', '"
        + PASSWORD
        + "', is_staff=True)"
    )
    page = visitor.get("/")
    sheet = re.search(r"/static/site\.\w+\.css", page.text)
    assert sheet, "no style sheet with a hash in its name"
    return {
        "page": page,
        "log-in": visitor.get("/accounts/login/"),
        "admin log-in": visitor.get("/admin/"),
        "own page": owner.get("/photos/mine/"),
        "admin": admin.get("/admin/secure_django_photos/photo/"),
        "static file": visitor.get(sheet[0]),
        "photo": visitor.get(photos["published"] + "thumbnail/"),
        "own hidden photo": owner.get(photos["hidden"] + "display/"),
        "security.txt": visitor.get("/.well-known/security.txt"),
        "health": visitor.get("/health/ready/"),
        "redirect": visitor.get("/photos/mine/"),
        "slash added": owner.get("/photos/mine"),
        "bad host": visitor.get("/", Host="evil.example"),
        "no CSRF token": owner.request("POST", "/photos/upload/", b"title=x"),
        "forbidden": site.visitor("clerk@example.com").get(
            "/admin/secure_django_photos/photo/"
        ),
        "missing": visitor.get("/.git/HEAD"),
        "missing static file": visitor.get("/static/../config/settings.py"),
        "other user's hidden photo": other_user.get(photos["page of hidden"]),
        "method": owner.get(photos["page of hidden"] + "delete/"),
        "unusual method": visitor.request("TRACE", "/"),
        "too large": owner.upload(b"x" * (11 * 1024**2)),
        "crash": visitor.get(photos["broken"] + "display/"),
        "log-out": owner.post("/accounts/logout/", {}, page="/photos/mine/"),
    }


def test_every_kind_of_response_has_its_status(responses: dict[str, Response]) -> None:
    assert {name: response.status for name, response in responses.items()} == STATUSES


@pytest.mark.parametrize("kind", STATUSES)
def test_security_headers_are_on_every_response_once(
    kind: str, responses: dict[str, Response]
) -> None:
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
    assert "geolocation=()" in headers["Permissions-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
    (policy,) = headers.get_all("Content-Security-Policy", [])
    directives = {
        name: set(values) for name, *values in map(str.split, policy.split(";"))
    }
    assert directives.pop("default-src") == {"'none'"}
    if "photo" in kind and responses[kind].status == 200:
        assert directives == {"sandbox": set()}
        return
    for directive in ("base-uri", "object-src", "frame-ancestors"):
        assert directives.pop(directive) == {"'none'"}
    assert (directives.pop("report-uri"), directives.pop("report-to")) == (
        {"/csp-report/"},
        {"csp"},
    )
    assert headers.get_all("Reporting-Endpoints") == ['csp="/csp-report/"']
    assert re.fullmatch(r"[0-9a-f]{32}", headers["X-Request-ID"])
    sources = set().union(*directives.values())
    assert directives.keys() == {
        "script-src",
        "style-src",
        "img-src",
        "connect-src",
        "form-action",
    }
    assert not {
        source
        for source in sources
        if source != "'self'" and not source.startswith("'nonce-")
    }


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


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-Host", "X-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded"],
)
def test_other_headers_cannot_set_host_or_path(header: str, site: Site) -> None:
    response = site.visitor().get("/photos/mine/", **{header: "evil.example/admin/"})
    assert (response.status, response.location) == (
        302,
        "/accounts/login/?next=/photos/mine/",
    )
    assert "evil" not in response.text


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


def test_response_headers_cannot_be_injected(site: Site) -> None:
    for path in (
        "/photos/mine%0d%0aX-Evil:%201",
        "/accounts/login/?next=%0d%0aX-Evil:%201",
        "//evil.example/photos/",
    ):
        response = site.visitor().get(path)
        assert "X-Evil" not in response.headers
        assert not response.location.startswith(("//", "http"))


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
