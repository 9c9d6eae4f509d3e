"""Pages of photos."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from secure_django.photos.models import Photo, Status
from secure_django.photos.services import delete_photo
from secure_django.testing import HTTPSClient, Login, MakePhoto

from gallery.apps import GALLERY
from gallery.paging import SIZE
from gallery.tests.conftest import INDEX, MINE
from users.models import User

KEY = "a" * 32

type FillGallery = Callable[[int], list[str]]


@pytest.fixture
def fill_gallery(user: User) -> FillGallery:
    """Publish photos, two at each time, and return their ids in the gallery's order."""

    def fill(count: int) -> list[str]:
        photos = [
            Photo(
                owner=user,
                purpose=GALLERY.name,
                status=Status.APPROVED,
                width=64,
                height=48,
                display_size=1,
                thumbnail_size=1,
            )
            for _ in range(count)
        ]
        for number, photo in enumerate(photos):
            photo.created_at = photos[0].created_at + timedelta(seconds=number // 2)
        Photo.objects.bulk_create(photos)
        return [str(photo.pk) for photo in Photo.objects.approved()]

    return fill


def shown(response: Any) -> list[str]:
    return re.findall(
        r'<a href="[a-z/]*/photos/([0-9a-f-]{36})/"', response.content.decode()
    )


def link(response: Any, name: str) -> str:
    match = re.search(rf'href="(\?{name}=[^"]+)"', response.content.decode())
    return match[1] if match else ""


def test_pages_show_each_photo_once(
    login: Login,
    user: User,
    fill_gallery: FillGallery,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    expected = fill_gallery(2 * SIZE + 2)
    for client, start, personal in ((HTTPSClient(), INDEX, 0), (login(user), MINE, 2)):
        client.get(start)
        url, pages = start, []
        while url:
            # Anonymous visitors need no query for a session and a user.
            with django_assert_num_queries(1 + personal):
                response = client.get(url)
            pages.append(shown(response))
            back, url = (
                link(response, "newer"),
                (follow := link(response, "older")) and start + follow,
            )
        assert [len(page) for page in pages] == [SIZE, SIZE, 2]
        assert client.get(start).content.count(b'loading="lazy"') == SIZE - 8
        assert [key for page in pages for key in page] == expected
        for page in reversed(pages[:-1]):
            response = client.get(start + back)
            assert shown(response) == page
            back = link(response, "newer")
        assert not back


def test_page_of_deleted_photos_shows_the_newest(
    client: HTTPSClient, fill_gallery: FillGallery
) -> None:
    ids = fill_gallery(SIZE + 1)
    older = link(client.get(INDEX), "older")
    Photo.objects.filter(pk=ids[-1]).delete()
    assert shown(client.get(f"{INDEX}{older}")) == ids[:-1]


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
def test_malformed_cursor_shows_the_newest(
    cursor: str, client: HTTPSClient, fill_gallery: FillGallery
) -> None:
    ids = fill_gallery(2)
    for query in (
        f"older={cursor}",
        f"newer={cursor}",
        f"older={cursor}&newer={cursor}",
        f"page={cursor}",
    ):
        assert shown(client.get(f"{INDEX}?{query}")) == ids
    for query in (f"newer={'9' * 17}-{KEY}", f"older=0-{KEY}"):
        assert shown(client.get(f"{INDEX}?{query}")) == ids


@pytest.mark.control("V14.2.2")
@pytest.mark.usefixtures("run_on_commit")
def test_visitors_share_published_photos_for_a_second(
    login: Login, user: User, make_photo: MakePhoto
) -> None:
    photo = make_photo(status=Status.APPROVED)
    for url in (INDEX, photo.get_absolute_url()):
        assert (
            HTTPSClient().get(url).headers["Cache-Control"] == "max-age=0, s-maxage=1"
        )
        assert "no-store" in login(user).get(url).headers["Cache-Control"]
    delete_photo(photo)
    assert shown(HTTPSClient().get(INDEX)) == []
    gone = HTTPSClient().get(photo.get_absolute_url())
    assert (gone.status_code, gone.headers["Cache-Control"]) == (
        404,
        "private, no-cache",
    )
    assert (
        HTTPSClient().get(f"{INDEX}?older=1").headers["Cache-Control"]
        == "private, no-cache"
    )
