"""The public page of pictures."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from secure_django.photos.models import Photo, Status
from secure_django.testing import HTTPSClient, Login
from secure_django.web.paging import SIZE

from gallery.models import Picture
from gallery.tests.conftest import INDEX, MINE, PURPOSE, MakePicture
from users.models import User

type FillGallery = Callable[[int], list[str]]


@pytest.fixture
def fill_gallery(user: User) -> FillGallery:
    """Publish pictures, and return their ids in the gallery's order."""

    def fill(count: int) -> list[str]:
        photos = Photo.objects.bulk_create(
            Photo(
                owner=user,
                purpose=PURPOSE.name,
                status=Status.APPROVED,
                width=64,
                height=48,
                display_size=1,
                thumbnail_size=1,
            )
            for _ in range(count)
        )
        now = timezone.now()
        pictures = Picture.objects.bulk_create(
            Picture(owner=user, photo=photo, created_at=now - timedelta(seconds=number))
            for number, photo in enumerate(photos)
        )
        return [str(picture.pk) for picture in pictures]

    return fill


def shown(response: Any) -> list[str]:
    return re.findall(
        r'<a href="[a-z/]*/photos/([0-9a-f-]{36})/"', response.content.decode()
    )


def link(response: Any, name: str) -> str:
    match = re.search(rf'href="(\?{name}=[^"]+)"', response.content.decode())
    return match[1] if match else ""


@pytest.mark.parametrize("is_logged_in", [False, True])
def test_pages_show_each_picture_once_and_make_no_query_per_row(
    is_logged_in: bool,
    login: Login,
    user: User,
    fill_gallery: FillGallery,
) -> None:
    client, start = (login(user), MINE) if is_logged_in else (HTTPSClient(), INDEX)
    expected = fill_gallery(SIZE + 2)
    client.get(start)
    with CaptureQueriesContext(connection) as queries_of_many:
        first = client.get(start)
    with CaptureQueriesContext(connection) as queries_of_two:
        second = client.get(start + link(first, "older"))
    assert len(queries_of_many) == len(queries_of_two)
    sql = " ".join(query["sql"] for query in queries_of_many)
    assert ("session" in sql) == is_logged_in
    assert shown(first) + shown(second) == expected
    assert shown(client.get(start + link(second, "newer"))) == shown(first)
    assert first.content.count(b'loading="lazy"') == SIZE - 8


@pytest.mark.control("V14.2.2")
@pytest.mark.usefixtures("run_on_commit")
def test_visitors_share_published_pictures_for_a_second(
    login: Login, user: User, make_picture: MakePicture
) -> None:
    picture = make_picture(status=Status.APPROVED)
    url = picture.get_absolute_url()
    for page in (INDEX, url):
        shared = HTTPSClient().get(page)
        assert shared.headers["Cache-Control"] == "max-age=0, s-maxage=1"
        assert "no-store" in login(user).get(page).headers["Cache-Control"]
    login(user).post(f"{url}delete/")
    assert shown(HTTPSClient().get(INDEX)) == []
    gone = HTTPSClient().get(url)
    assert gone.status_code == 404
    assert gone.headers["Cache-Control"] == "private, no-cache"
    queried = HTTPSClient().get(f"{INDEX}?older=1")
    assert queried.headers["Cache-Control"] == "private, no-cache"
