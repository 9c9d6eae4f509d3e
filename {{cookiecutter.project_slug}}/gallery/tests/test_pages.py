"""The pages of a picture, and of its owner."""

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
from secure_django.testing import HTTPSClient, Login, Upload

from gallery.models import Picture
from gallery.tests.conftest import INDEX, MINE, MakePicture
from users.models import User


@pytest.mark.control("V8.3.1")
def test_my_photos_shows_own_pictures_in_every_status(
    login: Login, user: User, other_user: User, make_picture: MakePicture
) -> None:
    make_picture(status=Status.REJECTED, reason="Too blurred", has_files=False)
    make_picture(title="Waiting one")
    make_picture(owner=other_user, title="Another person")
    Picture.objects.create(owner=user, title="Without a photo")
    text = login(user).get(MINE).content.decode()
    assert "Too blurred" in text
    assert "Waiting one" in text
    assert "Without a photo" in text
    assert "Another person" not in text


@pytest.mark.control("V1.2.1")
def test_title_is_escaped(
    client: HTTPSClient, login: Login, user: User, make_picture: MakePicture
) -> None:
    make_picture(status=Status.APPROVED, title='"><script>alert(1)</script>')
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
def test_owner_deletes_a_picture_with_files_and_texts(
    login: Login, user: User, make_picture: MakePicture
) -> None:
    picture, kept = make_picture(status=Status.APPROVED), make_picture()
    photo: Photo = picture.photo
    url = f"{picture.get_absolute_url()}delete/"
    asking = login(user).get(url)
    assert "This cannot be undone." in asking.content.decode()
    assert Picture.objects.count() == 2
    response = login(user).post(url)
    assert (response.status_code, response.headers["Location"]) == (302, MINE)
    assert [message.level_tag for message in get_messages(response.wsgi_request)] == [
        "success"
    ]
    assert list(Picture.objects.all()) == [kept]
    photo.refresh_from_db()
    assert (photo.status, photo.title, photo.original_name) == (Status.DELETED, "", "")
    call_command("worker", "--once")
    assert not default_storage.exists(photo.path("display"))


def test_owner_deletes_a_picture_that_has_lost_its_photo(
    login: Login, user: User
) -> None:
    picture = Picture.objects.create(owner=user, title="Teal")
    response = login(user).post(f"{picture.get_absolute_url()}delete/")
    assert (response.status_code, response.headers["Location"]) == (302, MINE)
    assert not Picture.objects.exists()


@pytest.mark.control("V8.2.2")
def test_page_of_a_picture_is_for_those_who_may_see_its_photo(
    client: HTTPSClient,
    login: Login,
    user: User,
    other_user: User,
    reviewer: User,
    make_picture: MakePicture,
) -> None:
    picture = make_picture()
    url = picture.get_absolute_url()
    assert client.get(url).status_code == login(other_user).get(url).status_code == 404
    assert client.post(f"{url}delete/").status_code == 404
    assert picture.title not in client.get(INDEX).content.decode()
    for person in (user, reviewer):
        page = login(person).get(url).content.decode()
        assert (f"{url}delete/" in page) == (person == user)
    Photo.objects.update(status=Status.APPROVED)
    assert HTTPSClient().get(url).status_code == 200
    image = f"/photos/{picture.photo.pk}/thumbnail/"
    card = f'<img src="{image}" alt="" width="64" height="48">'
    assert card in HTTPSClient().get(INDEX).content.decode()


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
    character: str, login: Login, user: User, upload: Upload, make_picture: MakePicture
) -> None:
    page = upload(login(user), title=f"Teal{character}Subject: forged")
    assert [error.code for error in page.context["form"].errors.as_data()["title"]] == [
        "control_characters"
    ]
    picture = make_picture(title=f"Teal{character}")
    with pytest.raises(ValidationError, match="one line"):
        picture.full_clean()


@pytest.mark.control("V5.1.1")
def test_upload_page_shows_the_enforced_limits(
    login: Login, user: User, settings: Settings
) -> None:
    settings.UPLOAD_MAX_BYTES = 3 * 1024**2
    text = login(user).get(reverse("gallery:upload")).content.decode()
    assert f'data-max-bytes="{3 * 1024**2}"' in text
    assert 'accept="image/jpeg,image/png,image/webp" required' in text
    assert "up to 3\xa0MB." in text
