"""The pages of a photo, and of its owner."""

import pytest
from django.conf import settings as site
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.urls import reverse
from django.utils.html import escape
from pytest_django import Settings
from secure_django.photos.models import Photo, Status
from secure_django.testing import HTTPSClient, Login, MakePhoto, Upload

from gallery.tests.conftest import INDEX, MINE
from users.models import User


@pytest.mark.control("V8.3.1")
def test_my_photos_shows_own_photos_in_every_status(
    login: Login, user: User, other_user: User, make_photo: MakePhoto
) -> None:
    make_photo(status=Status.REJECTED, reason="Too blurred", has_files=False)
    make_photo(title="Waiting one")
    make_photo(status=Status.DELETED, title="Gone one")
    make_photo(owner=other_user, title="Another person")
    text = login(user).get(MINE).content.decode()
    assert "Too blurred" in text
    assert "Waiting one" in text
    assert "Gone one" not in text
    assert "Another person" not in text


@pytest.mark.control("V1.2.1")
def test_title_is_escaped(
    client: HTTPSClient, login: Login, user: User, make_photo: MakePhoto
) -> None:
    make_photo(status=Status.APPROVED, title='"><script>alert(1)</script>')
    for page in (client.get(INDEX), login(user).get(MINE)):
        assert "<script>alert" not in page.content.decode()
        assert "&lt;script&gt;alert" in page.content.decode()


def test_visitor_reads_what_the_site_is(login: Login, user: User) -> None:
    description = escape(site.SITE_DESCRIPTION)
    pages = [
        visitor.get(INDEX).text.partition("<main")[2]
        for visitor in (HTTPSClient(), login(user))
    ]
    assert [description in page for page in pages] == [True, False]


@pytest.mark.control("V3.5.3")
def test_owner_deletes_a_photo_with_files_and_texts(
    login: Login, user: User, make_photo: MakePhoto
) -> None:
    photo, kept = make_photo(status=Status.APPROVED), make_photo()
    assert login(user).get(f"{photo.get_absolute_url()}delete/").status_code == 405
    response = login(user).post(f"{photo.get_absolute_url()}delete/")
    assert (response.status_code, response.headers["Location"]) == (302, MINE)
    assert [message.level_tag for message in get_messages(response.wsgi_request)] == [
        "success"
    ]
    assert list(Photo.objects.not_deleted()) == [kept]
    photo.refresh_from_db()
    assert (photo.status, photo.title, photo.original_name) == (Status.DELETED, "", "")
    call_command("worker", "--once")
    assert not default_storage.exists(photo.path("display"))


@pytest.mark.control("V8.2.2")
def test_page_of_a_photo_is_for_those_who_may_see_it(
    client: HTTPSClient,
    login: Login,
    user: User,
    other_user: User,
    reviewer: User,
    make_photo: MakePhoto,
) -> None:
    photo = make_photo()
    url = photo.get_absolute_url()
    assert client.get(url).status_code == login(other_user).get(url).status_code == 404
    assert client.post(f"{url}delete/").status_code == 404
    assert photo.title not in client.get(INDEX).content.decode()
    for person in (user, reviewer):
        assert (f"{photo.pk}/delete/" in login(person).get(url).content.decode()) == (
            person == user
        )
    Photo.objects.update(status=Status.APPROVED)
    assert HTTPSClient().get(url).status_code == 200
    card = f'<img src="/photos/{photo.pk}/thumbnail/" alt="" width="64" height="48">'
    assert card in HTTPSClient().get(INDEX).content.decode()


@pytest.mark.control("V8.2.2")
def test_photo_of_another_purpose_is_not_part_of_the_gallery(
    login: Login, user: User, make_photo: MakePhoto
) -> None:
    photo, client = make_photo(status=Status.APPROVED), login(user)
    Photo.objects.update(purpose="test")
    for url in (INDEX, MINE):
        assert b"<img" not in client.get(url).content
    assert client.get(reverse("gallery:photo", args=[photo.pk])).status_code == 404
    assert client.post(reverse("gallery:delete", args=[photo.pk])).status_code == 404
    assert Photo.objects.not_deleted().exists()


def test_uploaded_photo_waits_under_my_photos(
    login: Login, user: User, upload: Upload
) -> None:
    response = upload(login(user))
    assert (response.status_code, response.headers["Location"]) == (302, MINE)
    assert [message.level_tag for message in get_messages(response.wsgi_request)] == [
        "success"
    ]
    assert "Teal" in login(user).get(MINE).content.decode()
    assert upload(login(user), title="x" * 121).status_code == 200


@pytest.mark.control("V1.3.11")
@pytest.mark.parametrize("character", ["\n", "\r\n", "\x1b", "\x85", "\u2028"])
def test_title_with_a_control_character_is_refused(
    character: str, login: Login, user: User, upload: Upload, make_photo: MakePhoto
) -> None:
    page = upload(login(user), title=f"Teal{character}Subject: forged")
    assert [error.code for error in page.context["form"].errors.as_data()["title"]] == [
        "control_characters"
    ]
    photo = make_photo(title=f"Teal{character}")
    with pytest.raises(ValidationError, match="one line"):
        photo.full_clean()


@pytest.mark.control("V5.1.1")
def test_upload_page_shows_the_enforced_limits(
    login: Login, user: User, settings: Settings
) -> None:
    settings.UPLOAD_MAX_BYTES = 3 * 1024**2
    text = login(user).get(reverse("gallery:upload")).content.decode()
    assert f'data-max-bytes="{3 * 1024**2}"' in text
    assert 'accept="image/jpeg,image/png,image/webp" required' in text
    assert "up to 3.0\xa0MB." in text
