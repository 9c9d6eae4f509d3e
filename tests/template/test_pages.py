"""Pages of photos on PostgreSQL.

What visitors share behind nginx, takedowns, lost connections.
"""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.baking import (
    WITH_GALLERY,
    Project,
)
from tests.support.images import encode, landscape
from tests.support.live import OWNER, Response, Site, serve
from tests.support.postgresql import Database
from tests.support.proxying import serve_behind_nginx
from tests.support.services import wait_until

pytestmark = pytest.mark.tier("whole")

HEADERS = [
    ("Host", "other.localhost"),
    ("Host", "evil.example"),
    ("Host", "localhost:8443"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "http"),
    ("X-Forwarded-For", "1.2.3.4"),
    ("X-Forwarded-Port", "8443"),
    ("Forwarded", "host=evil.example;proto=http"),
    ("X-Original-URL", "/admin/"),
    ("X-Rewrite-URL", "/admin/"),
    ("X-HTTP-Method-Override", "POST"),
    ("X-Request-ID", "0123456789abcdef0123456789abcdef"),
    ("X-Requested-With", "XMLHttpRequest"),
    ("Script-Name", "/evil"),
    ("Cookie", "a=b"),
    ("Cookie", "__Host-sessionid=1"),
    ("Cookie", "__Host-csrftoken=1"),
    ("Authorization", "Basic YTpi"),
    ("Range", "bytes=0-3"),
    ("If-None-Match", "*"),
    ("If-Modified-Since", "Thu, 01 Jan 2099 00:00:00 GMT"),
    ("Accept", "application/json"),
    ("Accept-Language", "de"),
    ("Accept-Encoding", "gzip"),
    ("Cache-Control", "no-store"),
    ("Content-Type", "text/html; charset=utf-16"),
]
REJECT = """
from secure_django.photos.services import review_photo
from gallery.models import Picture
photo = Picture.objects.get(pk="{}").photo
admin = User.objects.get(is_superuser=True)
review_photo(photo, admin, "rejected", "No.")
"""
PUBLISH = """
from secure_django.photos.services import review_photo
admin = User.objects.get(is_superuser=True)
for photo in Photo.objects.exclude(title__contains="hidden"):
    review_photo(photo, admin, "approved")
"""


@pytest.fixture
def site(project: Project, postgresql: Database) -> Iterator[Site]:
    """Return a site with two published photos and a hidden one."""
    with serve(project(WITH_GALLERY), DATABASE_URL=postgresql()) as served:
        owner = served.visitor(OWNER)
        for title in ("A first photo", "A second photo", "A hidden photo"):
            assert (
                owner.upload(encode(landscape(1, (64, 48))), title=title).status == 302
            )
        served.python(PUBLISH)
        yield served


def photo_ids(response: Response) -> list[str]:
    """Return the ids of the photos that a page shows."""
    return re.findall(r'<a href="/photos/([0-9a-f-]{36})/"', response.text)


@pytest.fixture
def proxied(project: Project, tmp_path: Path, postgresql: Database) -> Iterator[Site]:
    """Return a site behind the emitted nginx, with published and hidden photos."""
    with serve_behind_nginx(
        project(WITH_GALLERY), tmp_path, DATABASE_URL=postgresql()
    ) as site:
        owner = site.visitor(OWNER)
        for title in (
            "A first photo",
            "A second photo",
            "A third photo",
            "A fourth photo",
            "A hidden photo",
        ):
            assert (
                owner.upload(encode(landscape(1, (64, 48))), title=title).status == 302
            )
        site.python(PUBLISH)
        yield site


def test_photo_taken_down_is_gone_after_two_seconds(proxied: Site) -> None:
    """Ten readers load the gallery and photos through nginx during takedowns."""
    stop, owner = Event(), proxied.visitor(OWNER)
    seen: list[tuple[float, float, str]] = []

    def read(page: str) -> None:
        visitor = proxied.visitor()
        while not stop.is_set():
            started = time.monotonic()
            answer = visitor.get(page)
            at = time.monotonic()
            seen.extend((started, at, it) for it in photo_ids(answer))
            if page.startswith("/photos/") and answer.status == 200:
                seen.append((started, at, page.split("/")[2]))

    def is_seen(photo: str) -> bool:
        return any(shown == photo for _, _, shown in seen)

    ids = photo_ids(proxied.visitor().get("/"))
    assert len(ids) == 4
    gone: dict[str, float] = {}
    with ThreadPoolExecutor(10) as readers:
        work = [
            readers.submit(read, page)
            for page in ["/"] * 5 + ["/?a=1"] + [f"/photos/{it}/" for it in ids]
        ]
        try:
            for number, photo in enumerate(ids):
                wait_until(partial(is_seen, photo), f"no reader sees {photo}")
                if number % 2:
                    proxied.python(REJECT.format(photo))
                else:
                    assert (
                        owner.post(
                            f"/photos/{photo}/delete/", {}, "/photos/mine/"
                        ).status
                        == 302
                    )
                gone[photo] = time.monotonic()
            time.sleep(2.5)
        finally:
            stop.set()
        for it in work:
            it.result()
    slowest = max(at - started for started, at, _ in seen)
    for photo, taken in gone.items():
        assert [at for _, at, shown in seen if at < taken and photo == shown]
        late = [
            started - taken
            for started, _, shown in seen
            if photo == shown and started > taken
        ]
        # nginx keeps a page for a second, from the end of a request that it passed on.
        assert max(late, default=0) < 1.2 + slowest, late


POISON: list[tuple[str, str, dict[str, str]]] = [
    *(("GET", "", {name: value}) for name, value in HEADERS),
    *(
        (method, "", {"X-HTTP-Method-Override": "GET"})
        for method in ("HEAD", "OPTIONS", "POST", "PUT", "DELETE")
    ),
    ("HEAD", "", {"Cookie": "a=b"}),
    ("HEAD", "?a=1", {}),
    ("GET", "?older=1", {}),
    ("GET", "?", {}),
    ("GET", "%3F", {}),
    ("GET", "/", {}),
    ("GET", "%2e/", {}),
    ("GET", "a/%2e%2e/", {}),
]


def test_no_request_changes_the_page_of_others(proxied: Site) -> None:
    """Each odd request is the first of its second.

    A page that it made would be kept for the others.
    """
    visitor, member = proxied.visitor(), proxied.visitor(OWNER)
    (photo, *_) = photo_ids(visitor.get("/"))

    def pages() -> list[tuple[int, str, list[tuple[str, str]]]]:
        answers = [proxied.visitor().get(page) for page in ("/", f"/photos/{photo}/")]
        names = {"Date", "X-Request-ID"}
        return [
            (
                it.status,
                it.text,
                [pair for pair in it.headers.items() if pair[0] not in names],
            )
            for it in answers
        ]

    clean = pages()
    assert [status for status, _, _ in clean] == [200, 200]
    for method, added, headers in POISON:
        time.sleep(1.01 - time.time() % 1)
        for page in ("/", f"/photos/{photo}/"):
            visitor.request(
                method, page + added, headers={"Host": "localhost"} | headers
            )
        assert pages() == clean, (method, added, headers)
    for page in ("/", f"/photos/{photo}/"):
        for _ in range(5):
            own = member.get(page)
            assert "Log out" in own.text
            assert "no-store" in own.headers["Cache-Control"]
            assert pages() == clean
    answer = visitor.get("/?page=%ff", **{"Content-Type": "text/plain; charset=rot13"})
    assert (answer.status, "<h1>Bad request</h1>" in answer.text) == (400, True)
    assert "Content-Security-Policy" in answer.headers


def test_lost_connections_are_replaced(site: Site) -> None:
    """The database ends all connections, as when it is restarted."""
    for _ in range(8):
        assert site.visitor().get("/?a=1").status == 200
    url = urlsplit(site.environment["DATABASE_URL"])
    with psycopg.connect(
        url._replace(path="/postgres").geturl(), autocommit=True
    ) as connection:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        )
        ended = connection.execute(query, [url.path[1:]]).fetchall()
    assert ended, "no connection was ended"
    for _ in range(16):
        assert site.visitor().get("/?a=1").status == 200


def test_gallery_does_not_need_redis(project: Project, postgresql: Database) -> None:
    """Redis refuses all connections."""
    with serve(
        project(WITH_GALLERY),
        DATABASE_URL=postgresql(),
        CACHE_URL="redis://127.0.0.1:1",
    ) as site:
        for _ in range(3):
            assert site.visitor().get("/").status == 200
