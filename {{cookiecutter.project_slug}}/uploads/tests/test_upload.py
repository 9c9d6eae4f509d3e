"""The form, the quota, and where bytes go."""

import os
from io import BytesIO
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from PIL import Image
from pytest_django import Settings

from conftest import HTTPSClient, Login, Picture, Upload
from uploads.images import sanitize
from uploads.models import Photo, Status
from users.models import User


def stored(media: Path) -> list[str]:
    return sorted(path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file())


@pytest.mark.control("V5.3.2")
@pytest.mark.control("V5.4.2")
@pytest.mark.parametrize("name", ["holiday.jpg", "../../etc/cron.d/evil.jpg", "CON.jpg"])
def test_accepted_photo_waits_hidden_under_a_name_of_our_own(
    login: Login, user: User, upload: Upload, media: Path, name: str
) -> None:
    answer = upload(login(user), name=name)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/photos/mine/")
    photo = Photo.objects.get()
    assert (photo.status, photo.owner, photo.title) == (Status.PENDING, user, "Teal")
    assert stored(media) == [f"{photo.pk}/display.jpg", f"{photo.pk}/thumbnail.jpg"]
    assert os.name == "nt" or all(path.stat().st_mode & 0o77 == 0 for path in media.rglob("*.jpg"))
    assert (photo.width, photo.height) == Image.open(default_storage.open(photo.path("display"))).size


@pytest.mark.control("V5.2.2")
@pytest.mark.control("V16.3.3")
def test_refused_file_changes_nothing_and_is_logged_without_its_name(
    login: Login, user: User, upload: Upload, media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answer = upload(login(user), b"<script>alert(1)</script>", name="private-name.jpg", title="private title")
    assert answer.status_code == 200
    assert "Only JPEG, PNG and WebP" in answer.content.decode()
    assert not Photo.objects.exists()
    assert not stored(media)
    events = [record for record in caplog.records if record.getMessage() == "upload_validation"]
    assert [event.__dict__["fields"]["code"] for event in events] == ["unsupported_type"]
    assert "private" not in caplog.text


@pytest.mark.control("V5.2.1")
def test_too_large_body_is_not_kept_and_says_so(login: Login, user: User, upload: Upload, settings: Settings) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    answer = upload(login(user), b"x" * 3_000_000, title="Kept title")
    assert answer.status_code == 413
    assert answer.context["form"].refusals() == ["too_large"]
    assert not answer.context["form"].files
    assert 'value="Kept title"' in answer.content.decode()


@pytest.mark.control("V8.2.1")
def test_strangers_body_is_refused_unread(client: HTTPSClient, upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("django.http.multipartparser.MultiPartParser.parse")  # whoever parsed would fail
    answer = upload(HTTPSClient(enforce_csrf_checks=True))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.control("V5.2.4")
def test_quota_counts_deleted_photos_too(login: Login, user: User, upload: Upload, settings: Settings) -> None:
    settings.UPLOADS_PER_HOUR = 2
    client = login(user)
    upload(client)
    client.post(f"/photos/{Photo.objects.get().pk}/delete/")
    upload(client)
    answer = upload(client, b"this is not even decoded")
    assert (answer.status_code, answer.context["form"].refusals()) == (429, ["quota"])
    assert "limit of 2 photos an hour" in answer.content.decode()
    assert Photo.objects.count() == 2


@pytest.mark.control("V5.2.4")
def test_photo_over_the_quota_leaves_no_bytes(user: User, picture: Picture, media: Path, settings: Settings) -> None:
    settings.UPLOADS_PER_HOUR = 0
    rebuilt = sanitize(BytesIO(picture()), "a.jpg", 1)
    with pytest.raises(ValidationError, match="limit of 0 photos"):
        Photo.objects.accept(user, "Teal", "a.jpg", rebuilt)
    assert not stored(media)


@pytest.mark.control("V15.3.3")
def test_form_sets_only_its_own_fields(login: Login, user: User, stranger: User, upload: Upload) -> None:
    upload(login(user), status="approved", owner=str(stranger.pk), is_staff="1", reason="x")
    photo = Photo.objects.get()
    assert (photo.status, photo.owner, photo.reason) == (Status.PENDING, user, "")


@pytest.mark.control("V5.1.1")
def test_page_tells_the_limits_that_are_enforced(login: Login, user: User, settings: Settings) -> None:
    settings.UPLOAD_MAX_BYTES = 3 * 1024**2
    text = login(user).get("/photos/upload/").content.decode()
    assert f'data-max-bytes="{3 * 1024**2}"' in text
    assert ".jpg,.jpeg,.png,.webp" in text
