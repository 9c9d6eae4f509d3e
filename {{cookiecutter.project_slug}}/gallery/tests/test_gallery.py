"""Pages of photos, and the page that visitors without cookies share."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import get_nonce
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import path
from pytest_django import DjangoAssertNumQueries, Settings

from core import shared_pages
from core.shared_pages import shared_page
from core.testing import HTTPSClient, Login, MakePhoto
from gallery.paging import SIZE
from uploads.models import Photo, Status
from uploads.moderation.rules import MANUAL, VerdictValue
from uploads.services import apply_verdicts, delete_photo, review_photo
from users.models import User

KEY = "a" * 32

type FillGallery = Callable[[int], list[str]]


@pytest.fixture
def fill_gallery(user: User) -> FillGallery:
    """Publish photos in pairs of the same time. Return their ids in the gallery's order."""

    def fill(count: int) -> list[str]:
        photos = [Photo(owner=user, status=Status.APPROVED, width=64, height=48, size=1) for _ in range(count)]
        for number, photo in enumerate(photos):
            photo.created_at = photos[0].created_at + timedelta(seconds=number // 2)
        Photo.objects.bulk_create(photos)
        return [str(photo.pk) for photo in Photo.objects.published()]

    return fill


@pytest.fixture
def sharing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Share pages as in production."""
    settings.SHARED_PAGE_SECONDS = 10
    monkeypatch.setattr(shared_pages, "retry_at", 0.0)


def shown(response: Any) -> list[str]:
    return re.findall(r'<a href="/photos/([0-9a-f-]{36})/"', response.content.decode())


def link(response: Any, name: str) -> str:
    found = re.search(rf'href="(\?{name}=[^"]+)"', response.content.decode())
    return found[1] if found else ""


def test_pages_show_each_photo_once(
    login: Login, user: User, fill_gallery: FillGallery, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    expected = fill_gallery(2 * SIZE + 2)
    for client, start, personal in ((HTTPSClient(), "/", 0), (login(user), "/photos/mine/", 2)):
        client.get(start)
        url, pages = start, []
        while url:
            with django_assert_num_queries(1 + personal):  # none for the session and the user of anonymous visitors
                response = client.get(url)
            pages.append(shown(response))
            back, url = link(response, "newer"), (follow := link(response, "older")) and start + follow
        assert [len(page) for page in pages] == [SIZE, SIZE, 2]
        assert client.get(start).content.count(b'loading="lazy"') == SIZE - 8
        assert [key for page in pages for key in page] == expected
        for page in reversed(pages[:-1]):
            response = client.get(start + back)
            assert shown(response) == page
            back = link(response, "newer")
        assert not back


def test_page_of_deleted_photos_shows_the_newest(client: HTTPSClient, fill_gallery: FillGallery) -> None:
    ids = fill_gallery(SIZE + 1)
    older = link(client.get("/"), "older")
    Photo.objects.filter(pk=ids[-1]).delete()
    assert shown(client.get(f"/{older}")) == ids[:-1]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "1",
        "-",
        "x-y",
        f"{'9' * 18}-{KEY}",
        f"0-{'a' * 31}",
        f"٣-{KEY}",
        "0-" + "%00" * 32,
        f"-1-{KEY}",
    ],
)
def test_malformed_cursor_shows_the_newest(cursor: str, client: HTTPSClient, fill_gallery: FillGallery) -> None:
    ids = fill_gallery(2)
    for query in (f"older={cursor}", f"newer={cursor}", f"older={cursor}&newer={cursor}", f"page={cursor}"):
        assert shown(client.get(f"/?{query}")) == ids
    for query in (f"newer={'9' * 17}-{KEY}", f"older=0-{KEY}"):
        assert shown(client.get(f"/?{query}")) == ids


@pytest.mark.control("V14.2.2")
@pytest.mark.usefixtures("sharing")
def test_visitors_without_cookies_share_the_gallery(
    client: HTTPSClient, login: Login, user: User, make_photo: MakePhoto
) -> None:
    make_photo(status=Status.APPROVED, title="Before")
    first = client.get("/")
    HTTPSClient(headers={"cookie": "unknown=1"}).get("/")
    Photo.objects.update(title="After")
    second = client.get("/", headers={"if-none-match": first.headers["ETag"]})
    assert (second.status_code, second.content) == (304, b"")
    for response in (first, second):
        assert response.headers["Cache-Control"] == "private, no-cache"
        assert response.headers["Vary"] == "Cookie"
    assert b"Before" in HTTPSClient().get("/").content
    # With a cookie, which may be a session, the photos alone. With a query, of which there are endless ones, nothing.
    for url, cookie, title in (
        ("/", "unknown=1", b"Before"),
        ("/", "__Host-sessionid=1", b"Before"),
        ("/?a=1", "", b"After"),
        ("/?a=1", "unknown=1", b"After"),
    ):
        response = HTTPSClient(headers={"cookie": cookie}).get(url)
        assert title in response.content
        assert "ETag" not in response.headers
    own = login(user).get("/")
    assert b"Before" in own.content
    assert b"Log out" in own.content
    assert b"Log out" not in HTTPSClient().get("/").content


@pytest.mark.usefixtures("sharing")
def test_photos_are_shared_once_and_on_one_host(make_photo: MakePhoto, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["one.example.com", "two.example.com"]
    make_photo(status=Status.APPROVED, title="Before")
    headers = {"host": "one.example.com", "cookie": "unknown=1"}
    HTTPSClient(headers=headers).get("/")
    Photo.objects.update(title="After")
    assert b"Before" in HTTPSClient(headers=headers).get("/").content
    # Two sites may use the same cache. And a shared page with these photos would be served for the same time again.
    for other in ({"host": "two.example.com"}, {"cookie": ""}):
        assert b"After" in HTTPSClient(headers=headers | other).get("/").content


@pytest.mark.control("V14.2.2")
@pytest.mark.usefixtures("sharing", "db")
@pytest.mark.parametrize("kind", ["nonce", "token", "message", "session", "cookie", "error", "private"])
def test_page_made_for_one_visitor_is_not_shared(kind: str, settings: Settings) -> None:
    made = []

    def page(request: HttpRequest) -> HttpResponse:
        made.append(kind)
        response = HttpResponse("own", status=404 if kind == "error" else 200)
        if kind == "nonce":
            response.content = str(get_nonce(request))
        elif kind == "token":
            response.content = get_token(request)
        elif kind == "message":
            messages.info(request, "own")
            response.content = str(*messages.get_messages(request))
        elif kind == "session":
            request.session["own"] = "own"
        elif kind == "cookie":
            response.set_cookie("own", "own")
        elif kind == "private":
            response.headers["Cache-Control"] = "no-store"
        return response

    settings.ROOT_URLCONF = type("URLs", (), {"urlpatterns": [path("", login_not_required(shared_page(page)))]})
    first, second = HTTPSClient().get("/"), HTTPSClient().get("/")
    assert len(made) == 2
    assert "ETag" not in first.headers
    assert "ETag" not in second.headers


@pytest.mark.control("V14.2.2")
@pytest.mark.parametrize("by", ["owner", "reviewer"])
@pytest.mark.parametrize("cookie", ["", "unknown=1"])
@pytest.mark.usefixtures("sharing", "run_on_commit")
def test_page_made_before_a_takedown_is_not_served_after_it(
    by: str, cookie: str, reviewer: User, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = HTTPSClient(headers={"cookie": cookie})
    photos = [make_photo(), make_photo()]
    for photo in photos:
        review_photo(photo, reviewer, "approved")

    def take_down(photo: Photo) -> None:
        if by == "owner":
            delete_photo(photo)
        else:
            review_photo(photo, reviewer, "rejected", "No.")

    def make_slowly(*args: Any) -> str:
        content = render_to_string(*args)
        take_down(photos[1])
        return content

    for _ in range(2):
        assert len(shown(client.get("/"))) == 2
    take_down(photos[0])
    # The next page is stored after the second takedown, and without knowing of it.
    with monkeypatch.context() as patch:
        patch.setattr("gallery.views.render_to_string", make_slowly)
        assert shown(client.get("/")) == [str(photos[1].pk)]
    assert shown(client.get("/")) == []
    approved = make_photo()
    review_photo(approved, reviewer, "approved")
    assert shown(client.get("/")) == [str(approved.pk)]


@pytest.mark.control("V14.2.2")
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("sharing")
def test_gallery_and_takedown_work_while_the_cache_is_down(
    client: HTTPSClient, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = make_photo(status=Status.APPROVED)
    down = Mock(**{f"{name}.side_effect": OSError for name in ("get_many", "get_or_set", "set")})
    monkeypatch.setattr(shared_pages, "cache", down)
    for _ in range(3):
        assert shown(client.get("/")) == [str(photo.pk)]
    assert down.get_many.call_count == 1
    apply_verdicts(photo, {MANUAL: VerdictValue("approved")})
    delete_photo(photo)
    assert shown(client.get("/")) == []
