"""What a real server sends: headers, cookies, errors and redirects, over TLS and to those who lie about themselves."""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.baking import run
from tests.live import ADMIN, OWNER, PASSWORD, STRANGER, Answer, Site, gunicorn
from tests.pictures import encode, landscape

STATUSES = {
    "page": 200,
    "log-in": 200,
    "admin's log-in": 302,
    "own page": 200,
    "administration": 200,
    "static file": 200,
    "photo": 200,
    "own hidden photo": 200,
    "security.txt": 200,
    "health": 200,
    "redirect": 302,
    "slash added": 301,
    "bad host": 400,
    "forged": 403,
    "forbidden": 403,
    "missing": 404,
    "missing static file": 404,
    "somebody's hidden photo": 404,
    "method": 405,
    "odd method": 405,
    "too large": 413,
    "crash": 500,
    "log-out": 302,
}
# Whose pages must not be found by the next person at the same machine.
PRIVATE = ["own page", "administration", "own hidden photo", "too large"]


@pytest.fixture(scope="session")
def photos(site: Site) -> dict[str, str]:
    """Return the addresses of three photos of one owner: published, hidden, and one that cannot be read."""
    owner = site.visitor(OWNER)
    for title in ("published", "hidden", "broken"):
        assert owner.upload(encode(landscape(1, (320, 240))), title=title).status == 302
    site.python("Photo.objects.filter(title__in=['published', 'broken']).update(status='approved')")
    found = site.python(
        "for photo in Photo.objects.filter(title__in=['published', 'hidden', 'broken']): print(photo.title, photo.id)"
    )
    addresses = {title: f"/photos/{key}/" for title, key in map(str.split, found.splitlines())}
    # A disk that gives up must not be told from one that was never there; a folder cannot be opened, even by root.
    file = Path(site.environment["MEDIA_ROOT"]) / addresses["broken"].split("/")[2] / "display.jpg"
    file.unlink()
    file.mkdir()
    return addresses


@pytest.fixture(scope="session")
def answers(site: Site, photos: dict[str, str]) -> dict[str, Answer]:
    """Return an answer of every kind, by name."""
    anybody, owner, stranger, admin = (site.visitor(email) for email in ("", OWNER, STRANGER, ADMIN))
    site.python("User.objects.create_user('clerk@example.com', '" + PASSWORD + "', is_staff=True)")
    page = anybody.get("/")
    sheet = re.search(r"/static/site\.\w+\.css", page.text)
    assert sheet, "no style sheet with a hash in its name"
    return {
        "page": page,
        "log-in": anybody.get("/accounts/login/"),
        "admin's log-in": anybody.get("/admin/"),
        "own page": owner.get("/photos/mine/"),
        "administration": admin.get("/admin/uploads/photo/"),
        "static file": anybody.get(sheet[0]),
        "photo": anybody.get(photos["published"] + "thumbnail/"),
        "own hidden photo": owner.get(photos["hidden"] + "display/"),
        "security.txt": anybody.get("/.well-known/security.txt"),
        "health": anybody.get("/health/ready/"),
        "redirect": anybody.get("/photos/mine/"),
        "slash added": owner.get("/photos/mine"),
        "bad host": anybody.get("/", Host="evil.example"),
        "forged": owner.request("POST", "/photos/upload/", b"title=x"),
        "forbidden": site.visitor("clerk@example.com").get("/admin/uploads/photo/"),
        "missing": anybody.get("/.git/HEAD"),
        "missing static file": anybody.get("/static/../config/settings.py"),
        "somebody's hidden photo": stranger.get(photos["hidden"]),
        "method": owner.get(photos["hidden"] + "delete/"),
        "odd method": anybody.request("TRACE", "/"),
        "too large": owner.upload(b"x" * (11 * 1024**2)),
        "crash": anybody.get(photos["broken"] + "display/"),
        "log-out": owner.post("/accounts/logout/", {}, page="/photos/mine/"),
    }


def test_every_kind_of_answer_has_its_status(answers: dict[str, Answer]) -> None:
    assert {name: answer.status for name, answer in answers.items()} == STATUSES


@pytest.mark.parametrize("kind", STATUSES)
def test_security_headers_stand_on_every_answer_once(kind: str, answers: dict[str, Answer]) -> None:
    headers = answers[kind].headers
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
    directives = {name: set(values) for name, *values in map(str.split, policy.split(";"))}
    assert directives.pop("default-src") == {"'none'"}
    if "photo" in kind and answers[kind].status == 200:
        assert directives == {"sandbox": set()}
        return
    for directive in ("base-uri", "object-src", "frame-ancestors"):
        assert directives.pop(directive) == {"'none'"}
    sources = set().union(*directives.values())
    assert directives.keys() == {"script-src", "style-src", "img-src", "connect-src", "form-action"}
    assert not {source for source in sources if source != "'self'" and not source.startswith("'nonce-")}


def test_type_of_every_answer_is_told(answers: dict[str, Answer]) -> None:
    types = {name: answer.headers["Content-Type"] for name, answer in answers.items()}
    assert {types.pop("photo"), types.pop("own hidden photo")} == {"image/jpeg"}
    assert types.pop("static file") == 'text/css; charset="utf-8"'
    assert types.pop("security.txt") == "text/plain; charset=utf-8"
    assert types.pop("health") == "text/plain"
    assert set(types.values()) == {"text/html; charset=utf-8"}
    assert not [name for name in types if answers[name].status // 100 != 3 and "<h1>" not in answers[name].text]


def test_cookies_are_bound_to_the_host_and_kept_from_scripts(answers: dict[str, Answer]) -> None:
    cookies = [cookie for answer in answers.values() for cookie in answer.headers.get_all("Set-Cookie", [])]
    assert {cookie.partition("=")[0] for cookie in cookies} == {"__Host-sessionid", "__Host-csrftoken"}
    for cookie in cookies:
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert "path=/" in attributes
        assert "secure" in attributes
        assert not [attribute for attribute in attributes if attribute.startswith("domain")]
        if not cookie.startswith('__Host-sessionid=""'):  # one that is taken away carries nothing
            assert "httponly" in attributes
            assert attributes & {"samesite=lax", "samesite=strict"}


def test_pages_of_a_person_are_not_stored_and_logging_out_clears_the_browser(answers: dict[str, Answer]) -> None:
    for name in PRIVATE:
        assert "no-store" in answers[name].headers["Cache-Control"], name
    assert answers["log-out"].headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert not answers["photo"].headers.get_all("Set-Cookie")


def test_answers_tell_nothing_of_the_inside(answers: dict[str, Answer], site: Site) -> None:
    secrets = [site.environment[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL", "EMAIL_URL")]
    inside = [*secrets, str(site.project), site.environment["MEDIA_ROOT"], "Traceback", "IsADirectoryError"]
    for name, answer in answers.items():
        said = f"{answer.headers}{answer.body.decode(errors='replace')}"
        assert not [word for word in inside if word in said], name
    log = site.log.read_text(encoding="utf-8")
    assert not [word for word in [*secrets, PASSWORD, OWNER, STRANGER] if word in log]
    assert '"error": "IsADirectoryError"' in log


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PUT", "PATCH", "DELETE", "PROPFIND", "DEBUG"])
def test_odd_methods_are_refused_everywhere(method: str, site: Site, photos: dict[str, str]) -> None:
    anybody = site.visitor()
    for path in ("/", "/photos/upload/", photos["published"], "/accounts/login/", "/admin/", "/static/x", "/missing"):
        answer = anybody.request(method, path, headers={"X-Echo": "echo"})
        assert answer.status == 405
        assert "echo" not in answer.text


@pytest.fixture(scope="session")
def plain_port(site: Site) -> Iterator[int]:
    """Return the port of a second server of the same project, without TLS."""
    with gunicorn(site.project, site.environment, site.log.with_name("plain.log")) as (_, port):
        yield port


def exchange(port: int, request: bytes, site: Site | None = None) -> str:
    """Send bytes as they stand, over TLS when a site is given, and return all that comes back."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    with closing(site.tls.wrap_socket(connection, server_hostname="localhost") if site else connection) as stream:
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
def test_plain_http_is_sent_to_https_whatever_it_claims(header: bytes, plain_port: int) -> None:
    request = b"GET /photos/mine/?page=2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + header + b"\r\n\r\n"
    answer = exchange(plain_port, request)
    assert answer.startswith("HTTP/1.1 301 ")
    assert "Location: https://localhost/photos/mine/?page=2\r\n" in answer
    assert "Content-Security-Policy: " in answer


HOSTS = {
    "other": b"Host: evil.example",
    "with a port": b"Host: evil.example:443",
    "subdomain": b"Host: localhost.evil.example",
    "below": b"Host: evil.localhost",
    "user": b"Host: localhost:1@evil.example",
    "list": b"Host: localhost, evil.example",
    "path": b"Host: localhost/evil.example",
    "two": b"Host: localhost\r\nHost: evil.example",
    "two, the other way round": b"Host: evil.example\r\nHost: localhost",
    "folded": b"Host: localhost\r\n evil.example",
    "empty": b"Host: ",
    "none": b"Accept: */*",
}


@pytest.mark.parametrize("headers", HOSTS.values(), ids=HOSTS)
def test_host_that_is_not_served_is_refused(headers: bytes, site: Site) -> None:
    answer = exchange(site.port, b"GET / HTTP/1.1\r\nConnection: close\r\n" + headers + b"\r\n\r\n", site)
    assert answer.startswith("HTTP/1.1 400 ")
    assert "evil" not in answer


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded"])
def test_host_and_path_are_taken_from_nowhere_else(header: str, site: Site) -> None:
    answer = site.visitor().get("/photos/mine/", **{header: "evil.example/admin/"})
    assert (answer.status, answer.location) == (302, "/accounts/login/?next=/photos/mine/")
    assert "evil" not in answer.text


SMUGGLED = {
    "two lengths": b"Content-Length: 4\r\nContent-Length: 40",
    "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked",
    "hidden chunks": b"Transfer-Encoding: identity, chunked, identity",
    "negative length": b"Content-Length: -1",
    "length in words": b"Content-Length: 1_0",
    "space before the colon": b"Content-Length : 4",
    "bare line break": b"Accept: a\rb",
    "null": b"Accept: a\0b",
}


@pytest.mark.parametrize("header", SMUGGLED.values(), ids=SMUGGLED)
def test_request_that_two_servers_would_read_differently_is_refused(header: bytes, site: Site) -> None:
    head = b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answer = exchange(site.port, head + header + b"\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n", site)
    assert re.match(r"HTTP/1\.1 (400|403|501) ", answer)
    assert answer.count("HTTP/1.1 ") == 1


def test_answer_cannot_be_split_by_what_was_asked(site: Site) -> None:
    for path in ("/photos/mine%0d%0aX-Evil:%201", "/accounts/login/?next=%0d%0aX-Evil:%201", "//evil.example/photos/"):
        answer = site.visitor().get(path)
        assert "X-Evil" not in answer.headers
        assert not answer.location.startswith(("//", "http"))


def test_addresses_that_a_client_makes_up_win_no_further_tries(site: Site) -> None:
    statuses = []
    for attempt in range(8):
        visitor = site.visitor()
        form = {
            "username": "target@example.com",
            "password": "wrong",
            "csrfmiddlewaretoken": visitor.token("/accounts/login/"),
        }
        body = "&".join(f"{key}={text}" for key, text in form.items()).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": f"192.0.2.{attempt}"}
        statuses.append(visitor.request("POST", "/accounts/login/", body, headers).status)
    assert statuses == [200] * 4 + [429] * 4


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


def test_bad_environment_stops_servers_and_commands_once_with_all_problems_and_no_value(
    site: Site, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    environment = site.environment | BAD | {"WEB_CONCURRENCY": "2"}
    with gunicorn(site.project, environment, log) as (server, _):
        assert server.wait(60) != 0
    with pytest.raises(AssertionError) as stopped:
        run(site.project, sys.executable, "manage.py", "migrate", **environment)
    for said in (log.read_text(encoding="utf-8"), str(stopped.value)):
        for name in BAD:
            assert f"  {name}: " in said
        assert "canary" not in said
        assert said.count("Booting worker") <= 2, "workers are started again and again"
