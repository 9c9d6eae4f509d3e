"""Pages of objects, newest first."""

from datetime import timedelta

import pytest
from django.http import QueryDict
from django.utils import timezone

from secure_django.photos.models import Photo
from secure_django.testing import MakePhoto
from secure_django.user import User
from secure_django.web.paging import SIZE, Page, get_neighbors, get_page, make_cursor

KEY = "a" * 32


def fill(user: User, count: int) -> list[Photo]:
    """Add photos, two at each time, and return them in the order of the pages."""
    now = timezone.now()
    Photo.objects.bulk_create(
        Photo(
            owner=user,
            purpose="test",
            created_at=now + timedelta(seconds=number // 2),
            width=64,
            height=48,
            display_size=1,
            thumbnail_size=1,
        )
        for number in range(count)
    )
    return list(Photo.objects.all())


def get(query: str = "") -> Page[Photo]:
    return get_page(Photo.objects.all(), QueryDict(query))


def test_pages_forth_and_back_have_each_object_once(user: User) -> None:
    expected = fill(user, 2 * SIZE + 2)
    pages = [get()]
    while pages[-1].older:
        pages.append(get(f"older={pages[-1].older}"))
    assert [len(page.objects) for page in pages] == [SIZE, SIZE, 2]
    assert [photo for page in pages for photo in page.objects] == expected
    back = [pages.pop()]
    while back[-1].newer:
        back.append(get(f"newer={back[-1].newer}"))
    objects_on_the_way_back = [page.objects for page in back[:0:-1]]
    assert objects_on_the_way_back == [page.objects for page in pages]


def test_page_of_deleted_objects_is_the_first(user: User) -> None:
    *kept, last = fill(user, SIZE + 1)
    older = get().older
    last.delete()
    assert get(f"older={older}").objects == kept


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
def test_malformed_cursor_gives_the_first_page(cursor: str, user: User) -> None:
    photos = fill(user, 2)
    for query in (
        f"older={cursor}",
        f"newer={cursor}",
        f"older={cursor}&newer={cursor}",
        f"page={cursor}",
    ):
        assert get(query).objects == photos


@pytest.mark.parametrize("query", [f"newer={'9' * 17}-{KEY}", f"older=0-{KEY}"])
def test_cursor_beyond_all_objects_gives_the_first_page(query: str, user: User) -> None:
    photos = fill(user, 2)
    assert get(query).objects == photos


def test_neighbors_of_an_object_are_the_next_of_each_side(user: User) -> None:
    newest, middle, oldest = fill(user, 3)
    photos = Photo.objects.all()
    assert get_neighbors(photos, middle) == {"newer": newest.pk, "older": oldest.pk}
    assert get_neighbors(photos, newest) == {"newer": None, "older": middle.pk}
    assert get_neighbors(photos, oldest) == {"newer": middle.pk, "older": None}


def test_cursor_names_the_microsecond(make_photo: MakePhoto) -> None:
    photo = make_photo()
    microseconds = round(photo.created_at.timestamp() * 1_000_000)
    assert make_cursor(photo) == f"{microseconds}-{photo.pk.hex}"
