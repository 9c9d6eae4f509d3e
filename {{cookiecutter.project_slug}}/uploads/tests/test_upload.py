"""The upload form, the quota, and where files are stored."""

import os
from io import BytesIO
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from PIL import Image
from pytest_django import Settings

from core.testing import HTTPSClient, Login, MakeImage, Upload
from uploads.images import validate_and_reencode
from uploads.models import Photo, Status
from uploads.services import create_photo
from users.models import User


def stored(media: Path) -> list[str]:
    return sorted(path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file())


@pytest.mark.control("V5.3.2")
@pytest.mark.control("V5.4.2")
@pytest.mark.parametrize("name", ["holiday.jpg", "../../etc/cron.d/evil.jpg", "CON.jpg"])
def test_accepted_photo_is_stored_under_a_generated_name(
    login: Login, user: User, upload: Upload, media: Path, name: str
) -> None:
    response = upload(login(user), name=name)
    assert (response.status_code, response.headers["Location"]) == (302, "/photos/mine/")
    photo = Photo.objects.get()
    assert (photo.status, photo.owner, photo.title) == (Status.PENDING, user, "Teal")
    assert stored(media) == [f"{photo.pk}/display.jpg", f"{photo.pk}/thumbnail.jpg"]
    assert os.name == "nt" or all(path.stat().st_mode & 0o77 == 0 for path in media.rglob("*.jpg"))
    assert (photo.width, photo.height) == Image.open(default_storage.open(photo.path("display"))).size


@pytest.mark.control("V5.2.2")
@pytest.mark.control("V16.3.3")
def test_refused_file_is_logged_and_changes_nothing(
    login: Login, user: User, upload: Upload, media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    response = upload(login(user), b"<script>alert(1)</script>", name="private-name.jpg", title="private title")
    assert response.status_code == 200
    assert "Only JPEG, PNG and WebP" in response.content.decode()
    assert not Photo.objects.exists()
    assert not stored(media)
    events = [record for record in caplog.records if record.getMessage() == "upload_validation"]
    assert [event.__dict__["fields"]["code"] for event in events] == ["unsupported_type"]
    assert "private" not in caplog.text


@pytest.mark.control("V5.2.1")
def test_too_large_file_is_refused_and_the_title_kept(
    login: Login, user: User, upload: Upload, settings: Settings
) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    response = upload(login(user), b"x" * 3_000_000, title="Kept title")
    assert response.status_code == 413
    assert response.context["form"].error_codes() == ["too_large"]
    assert not response.context["form"].files
    assert 'value="Kept title"' in response.content.decode()


@pytest.mark.control("V8.2.1")
def test_upload_of_an_anonymous_visitor_is_not_parsed(
    client: HTTPSClient, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("django.http.multipartparser.MultiPartParser.parse")  # parsing would fail
    response = upload(HTTPSClient(enforce_csrf_checks=True))
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/accounts/login/")


@pytest.mark.control("V5.2.4")
def test_quota_counts_deleted_photos_too(login: Login, user: User, upload: Upload, settings: Settings) -> None:
    settings.UPLOADS_PER_HOUR = 2
    client = login(user)
    upload(client)
    client.post(f"/photos/{Photo.objects.get().pk}/delete/")
    upload(client)
    response = upload(client, b"never decoded")
    assert (response.status_code, response.context["form"].error_codes()) == (429, ["quota"])
    assert "limit of 2 photos in one hour" in response.content.decode()
    assert Photo.objects.count() == 2


@pytest.mark.control("V5.2.4")
def test_photo_over_the_quota_leaves_no_files(
    user: User, make_image: MakeImage, media: Path, settings: Settings
) -> None:
    settings.UPLOADS_PER_HOUR = 0
    image = validate_and_reencode(BytesIO(make_image()), "a.jpg", 1)
    with pytest.raises(ValidationError, match="limit of 0 photos"):
        create_photo(user, "Teal", "a.jpg", image)
    assert not stored(media)


@pytest.mark.control("V15.3.3")
def test_form_sets_only_its_own_fields(login: Login, user: User, other_user: User, upload: Upload) -> None:
    upload(login(user), status="approved", owner=str(other_user.pk), is_staff="1", reason="x")
    photo = Photo.objects.get()
    assert (photo.status, photo.owner, photo.reason) == (Status.PENDING, user, "")


@pytest.mark.control("V5.1.1")
def test_upload_page_shows_the_enforced_limits(login: Login, user: User, settings: Settings) -> None:
    settings.UPLOAD_MAX_BYTES = 3 * 1024**2
    text = login(user).get("/photos/upload/").content.decode()
    assert f'data-max-bytes="{3 * 1024**2}"' in text
    assert ".jpg,.jpeg,.png,.webp" in text
