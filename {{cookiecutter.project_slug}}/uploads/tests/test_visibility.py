"""Who sees which photo."""

import pytest
from django.core.files.storage import default_storage

from conftest import HTTPSClient, Login, MakePhoto
from uploads.models import Photo, Status
from users.models import User


def addresses(photo: Photo) -> list[str]:
    page = photo.get_absolute_url()
    return [page, f"{page}display/", f"{page}thumbnail/"]


@pytest.mark.control("V8.2.2")
@pytest.mark.parametrize("status", [Status.PENDING, Status.REVIEW, Status.REJECTED, Status.DELETED])
def test_hidden_photo_is_not_there_for_strangers(
    client: HTTPSClient, login: Login, stranger: User, make_photo: MakePhoto, status: str
) -> None:
    photo = make_photo(status=status)
    for address in addresses(photo):
        assert client.get(address).status_code == 404
    assert photo.title not in client.get("/").content.decode()
    login(stranger)
    for address in addresses(photo):
        assert client.get(address).status_code == 404
    assert client.post(f"{photo.get_absolute_url()}delete/").status_code == 404


@pytest.mark.control("V8.2.2")
def test_owner_and_reviewer_see_hidden_photo(login: Login, user: User, reviewer: User, make_photo: MakePhoto) -> None:
    photo = make_photo()
    for person in (user, reviewer):
        client = login(person)
        for address in addresses(photo):
            answer = client.get(address)
            assert answer.status_code == 200
            assert "no-store" in answer.headers["Cache-Control"]
    Photo.objects.update(has_bytes=False)
    assert client.get(photo.get_absolute_url()).status_code == 404


@pytest.mark.control("V14.3.2")
def test_published_photo_is_there_for_everybody(client: HTTPSClient, make_photo: MakePhoto) -> None:
    photo = make_photo(status=Status.APPROVED)
    for address in addresses(photo):
        assert client.get(address).status_code == 200
    assert photo.title in client.get("/").content.decode()
    assert client.get(f"{photo.get_absolute_url()}original/").status_code == 404
    # Not for caches that several people share: the photo may be taken back.
    assert client.get(f"{photo.get_absolute_url()}display/").headers["Cache-Control"] == "private, max-age=600"


@pytest.mark.control("V3.2.1")
@pytest.mark.control("V5.3.1")
@pytest.mark.control("V5.4.1")
def test_bytes_are_served_so_that_nothing_can_run(client: HTTPSClient, make_photo: MakePhoto) -> None:
    photo = make_photo(status=Status.APPROVED)
    with default_storage.open(photo.path("display"), "wb") as file:
        file.write(b"<script>alert(1)</script>")
    answer = client.get(f"{photo.get_absolute_url()}display/")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Content-Disposition"] == f'inline; filename="{photo.pk}-display.jpg"'


@pytest.mark.control("V8.3.1")
def test_own_page_shows_own_photos_in_every_status(
    login: Login, user: User, stranger: User, make_photo: MakePhoto
) -> None:
    make_photo(status=Status.REJECTED, reason="Too blurred", has_bytes=False)
    make_photo(title="Waiting one")
    make_photo(status=Status.DELETED, title="Gone one")
    make_photo(owner=stranger, title="Another person")
    text = login(user).get("/photos/mine/").content.decode()
    assert "Too blurred" in text
    assert "Waiting one" in text
    assert "Gone one" not in text
    assert "Another person" not in text


@pytest.mark.control("escaping")
def test_title_is_escaped(client: HTTPSClient, make_photo: MakePhoto) -> None:
    make_photo(status=Status.APPROVED, title='"><script>alert(1)</script>')
    text = client.get("/").content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


@pytest.mark.control("V3.5.3")
@pytest.mark.usefixtures("at_once")
def test_owner_deletes_a_photo_with_its_bytes_and_words(login: Login, user: User, make_photo: MakePhoto) -> None:
    photo = make_photo(status=Status.APPROVED)
    assert login(user).get(f"{photo.get_absolute_url()}delete/").status_code == 405
    assert login(user).post(f"{photo.get_absolute_url()}delete/").status_code == 302
    photo.refresh_from_db()
    assert (photo.status, photo.title, photo.original_name) == (Status.DELETED, "", "")
    assert not default_storage.exists(photo.path("display"))


def test_deleted_account_takes_its_photos_along(user: User, make_photo: MakePhoto) -> None:
    photo = make_photo(status=Status.APPROVED)
    user.delete()
    photo.refresh_from_db()
    assert (photo.status, photo.owner) == (Status.DELETED, None)
