"""Photos in object storage, which the view's redirect alone leads to."""

import pytest
from django.core.files.storage import default_storage
from pytest_django import DjangoAssertNumQueries, Settings

from core.testing import HTTPSClient, Login, MakePhoto
from uploads.models import Photo, Status
from users.models import User

SIGNED = "https://s3.example.com/photos/a.jpg?signature=secret"


@pytest.fixture
def bucket(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BUCKET_URL = "https://s3.example.com/photos/"
    monkeypatch.setattr(default_storage, "url", lambda name: SIGNED, raising=False)


@pytest.mark.control("V8.2.2")
@pytest.mark.usefixtures("bucket")
def test_signed_url_is_given_to_those_who_may_see_the_photo(
    client: HTTPSClient,
    login: Login,
    user: User,
    other_user: User,
    make_photo: MakePhoto,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    hidden = f"/photos/{make_photo().pk}/display/"
    public = client.get(f"/photos/{make_photo(status=Status.APPROVED).pk}/display/")
    assert (public.status_code, public.headers["Location"]) == (302, SIGNED)
    assert public.headers["Cache-Control"] == "no-store"
    assert client.get(hidden).status_code == 404
    assert login(other_user).get(hidden).status_code == 404
    login(user)
    with django_assert_num_queries(3):  # photo, session, user; no write
        assert client.get(hidden).headers["Location"] == SIGNED
    Photo.objects.update(has_files=False)
    assert client.get(hidden).status_code == 404
