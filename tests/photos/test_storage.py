"""Photos in object storage, which only a redirect of the view leads to."""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pytest_django import DjangoAssertNumQueries, Settings

from secure_django.photos.models import Photo, Status
from secure_django.testing import HTTPSClient, Login, MakePhoto
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
    approved_photo = make_photo(status=Status.APPROVED)
    public = client.get(f"/photos/{approved_photo.pk}/display/")
    assert public.status_code == 302
    assert public.headers["Location"] == SIGNED
    assert public.headers["Cache-Control"] == "no-store"
    assert client.get(hidden).status_code == 404
    assert login(other_user).get(hidden).status_code == 404
    login(user)
    with django_assert_num_queries(3):  # photo, session, user; no write
        assert client.get(hidden).headers["Location"] == SIGNED
    Photo.objects.update(has_files=False)
    assert client.get(hidden).status_code == 404


def test_bucket_gets_bounded_requests_and_gives_short_lived_urls() -> None:
    pytest.importorskip("storages")
    module = import_module("secure_django.photos.storage")
    storage = module.ObjectStorage(
        access_key="key",
        secret_key="secret",
        bucket_name="photos",
        endpoint_url="https://s3.example.com",
    )
    url = storage.url("a.jpg")
    assert url.startswith(
        "https://s3.example.com/photos/a.jpg?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
    )
    assert "X-Amz-Expires=60&" in url
    client = storage.connection.meta.client
    requests = []
    status = 200
    config = client.meta.config
    assert config.connect_timeout + config.read_timeout <= 15
    assert config.retries["total_max_attempts"] <= 2

    def answer(request: Any, **kwargs: Any) -> Any:
        requests.append(request)
        headers = {"Last-Modified": "Thu, 26 Nov 2026 12:00:00 GMT"}
        return Mock(status_code=status, headers=headers, content=b"<a/>")

    client.meta.events.register("before-send.s3", answer)
    storage.save(Photo().path("display"), ContentFile(b"photo"))
    assert requests[-1].headers["Content-Type"] == b"image/jpeg"
    # A checksum that many servers do not know.
    assert "X-Amz-Trailer" not in requests[-1].headers
    assert storage.exists("")
    assert (
        requests[-1].url
        == "https://s3.example.com/photos?list-type=2&max-keys=1&encoding-type=url"
    )
    assert storage.exists("a.jpg")
    assert storage.get_modified_time("a.jpg") == datetime(2026, 11, 26, 12, tzinfo=UTC)
    status = 404
    with pytest.raises(FileNotFoundError):
        storage.get_modified_time("a.jpg")
    assert not storage.exists("a.jpg")
    with pytest.raises(Exception, match="ListObjects"):
        storage.exists("")


@pytest.mark.control("V3.2.1")
def test_browsers_show_no_other_file_of_the_bucket() -> None:
    pytest.importorskip("storages")
    module = import_module("secure_django.photos.storage")
    storage = module.ObjectStorage(bucket_name="photos")
    assert storage.get_object_parameters(Photo().path("display")) == {
        "ContentType": "image/jpeg"
    }
    for name in ("invoices/page.html", "photos/page.html", "photos/a0/page.jpg"):
        assert storage.get_object_parameters(name)["ContentDisposition"] == "attachment"
