"""Uploads that fail leave nothing behind: no file, no personal data in the log."""

import logging
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage

from secure_django.photos import limits
from secure_django.photos.models import Photo
from secure_django.testing import Login, Upload, start
from users.models import User


def test_storage_failure_leaves_no_photo_and_no_files(
    login: Login,
    user: User,
    upload: Upload,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save = default_storage.save

    def fail(name: str, content: Any) -> str:
        if "thumbnail" in name:
            raise OSError
        return str(save(name, content))

    monkeypatch.setattr(default_storage, "save", fail)
    client = login(user)
    client.raise_request_exception = False
    assert upload(client).status_code == 500
    assert not Photo.objects.exists()
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_log_of_an_upload_holds_no_personal_data(
    login: Login, user: User, upload: Upload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    upload(login(user), name="private-name.jpg", title="Private title")
    for private in (user.email, "private-name", "Private title"):
        assert private not in caplog.text


def test_upload_without_a_place_to_wait_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits.decoding, "most_waiting", 0)
    monkeypatch.setattr(limits.decoding.changed, "wait", wait := Mock())
    with pytest.raises(ValidationError) as busy, limits.decoder(0):
        pass
    assert busy.value.code == "busy"
    assert limits.decoding.waiting == []
    assert not wait.called


@pytest.mark.parametrize("folder", ["static", "media"])
def test_photos_are_not_served_through_a_link(folder: str, tmp_path: Path) -> None:
    link = settings.BASE_DIR / folder / "linked"
    target = tmp_path
    if folder == "media":
        link = tmp_path / "linked"
        target = settings.BASE_DIR / "static"
    link.symlink_to(target, target_is_directory=True)
    try:
        assert "  MEDIA_ROOT: " in start(MEDIA_ROOT=str(link)).stderr
    finally:
        link.unlink()
