"""What the start page says about photos."""

from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from secure_django.photos.models import Status
from secure_django.testing import HTTPSClient, Login, MakePhoto
from users.models import User

QUEUE = 'href="/admin/secure_django_photos/photo/"'


def test_reviewer_reads_how_many_photos_wait(
    login: Login, user: User, reviewer: User, make_photo: MakePhoto
) -> None:
    assert QUEUE not in login(reviewer).get("/").text
    for status in (Status.PENDING, Status.REVIEW, Status.APPROVED):
        make_photo(status=status)
    page = login(reviewer).get("/").text
    assert QUEUE in page
    assert "2 photos wait for review." in page
    user.user_permissions.add(Permission.objects.get(codename="review_photo"))
    assert QUEUE not in login(user).get("/").text, "they are not staff"
    assert QUEUE not in HTTPSClient().get("/").text


def test_owner_reads_what_became_of_own_photos(
    login: Login, user: User, other_user: User, make_photo: MakePhoto
) -> None:
    assert "of your photos" not in login(user).get("/").text
    for status in Status.values:
        make_photo(status=status)
    page = login(user).get("/").text
    assert "2 of your photos wait for review." in page
    assert "1 of your photos was not accepted." in page
    assert "of your photos" not in login(other_user).get("/").text
    assert "of your photos" not in HTTPSClient().get("/").text


def test_start_page_reads_a_bounded_number_of_photos(
    login: Login, reviewer: User, make_photo: MakePhoto
) -> None:
    make_photo(owner=reviewer)
    client = login(reviewer)
    with CaptureQueriesContext(connection) as queries:
        client.get("/")
    about_photos = [
        query["sql"]
        for query in queries
        if 'FROM "secure_django_photos_photo"' in query["sql"]
    ]
    assert len(about_photos) == 2
    assert all("LIMIT 1001" in query for query in about_photos)
