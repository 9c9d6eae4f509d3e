"""Files of photos: on the disk before their rows, and never served unless whole."""

import os
from pathlib import Path
from stat import S_ISDIR
from typing import Any

import pytest
from django.core.files.storage import default_storage
from pytest_django import Settings

from secure_django.photos.images import VARIANTS
from secure_django.photos.models import Photo, Status
from secure_django.photos.status import check_files
from secure_django.testing import HTTPSClient, MakePhoto

damaged = pytest.mark.parametrize("damage", ["empty", "short", "missing"])


def path_of(photo: Photo, variant: str) -> Path:
    return Path(default_storage.path(photo.path(variant)))


def spoil(path: Path, damage: str) -> None:
    """Damage a file as a power failure may do."""
    if damage == "missing":
        path.unlink()
    else:
        size = 0 if damage == "empty" else path.stat().st_size - 1
        os.truncate(path, size)


@pytest.mark.control("power")
@pytest.mark.skipif(os.name != "posix", reason="Windows cannot open a folder")
def test_files_and_folders_are_on_the_disk_before_the_row(
    make_photo: MakePhoto, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk: dict[int, Any] = {}

    def sync(descriptor: int) -> None:
        assert not Photo.objects.exists()
        entry = os.fstat(descriptor)
        is_folder = S_ISDIR(entry.st_mode)
        disk[entry.st_ino] = os.listdir(descriptor) if is_folder else entry.st_size

    monkeypatch.setattr("os.fsync", sync)
    photo = make_photo()
    sizes = {"display": photo.display_size, "thumbnail": photo.thumbnail_size}
    for variant in VARIANTS:
        path = path_of(photo, variant)
        entry = path.stat()
        assert disk[entry.st_ino] == sizes[variant] == entry.st_size
        while path != media:
            assert path.name in disk[path.parent.stat().st_ino]
            path = path.parent


@pytest.mark.control("power")
@damaged
@pytest.mark.parametrize("variant", VARIANTS)
def test_damaged_file_is_not_found_and_logged_as_an_error(
    client: HTTPSClient,
    make_photo: MakePhoto,
    variant: str,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    photo = make_photo(status=Status.APPROVED)
    spoil(path_of(photo, variant), damage)
    urls = [f"/photos/{photo.pk}/{name}/" for name in VARIANTS]
    answers = [client.get(url).status_code for url in urls]
    assert answers == [404 if name == variant else 200 for name in VARIANTS]
    (record,) = [
        record
        for record in caplog.records
        if record.name == "secure_django.photos.views"
    ]
    assert record.levelname == "ERROR"
    assert (
        record.getMessage()
        == f"the file of a photo is missing or not whole: {photo.pk}"
    )


def test_file_that_is_deleted_at_this_moment_is_no_error(
    client: HTTPSClient,
    make_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    photo = make_photo(status=Status.APPROVED)

    def delete(photo: Photo, variant: str) -> None:
        Photo.objects.update(has_files=False)
        raise FileNotFoundError

    monkeypatch.setattr(Photo, "open_file", delete)
    assert client.get(f"/photos/{photo.pk}/display/").status_code == 404
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.control("status")
@damaged
def test_status_counts_photos_whose_files_are_damaged(
    make_photo: MakePhoto,
    damage: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photos = [make_photo() for _ in range(3)]
    assert check_files() == (True, "the files of 3 are whole", "")
    for photo in photos[1:]:
        spoil(path_of(photo, "thumbnail"), damage)
    is_fine, text, advice = check_files()
    assert not is_fine
    assert text.startswith("of 3 that were checked, the files of 2 are missing")
    keys = [str(photo.pk) for photo in photos[1:]]
    assert any(key in text for key in keys)
    assert "backup" in advice

    def delete(photo: Photo) -> bool:
        Photo.objects.update(has_files=False)
        return False

    with monkeypatch.context() as patch:
        patch.setattr("secure_django.photos.status.is_whole", delete)
        assert check_files()[0]
    Photo.objects.update(has_files=True)
    settings.BUCKET_URL = "https://s3.example.com/photos/"
    assert check_files()[0]


@pytest.mark.control("status")
def test_status_looks_at_the_newest_and_at_some_of_the_rest(
    make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_django.photos.status.NEWEST", 1)
    monkeypatch.setattr("secure_django.photos.status.NEIGHBORS", 0)
    older_photo = make_photo()
    newer_photo = make_photo()
    spoil(path_of(older_photo, "display"), "empty")
    assert check_files()[0]
    spoil(path_of(newer_photo, "display"), "empty")
    assert str(newer_photo.pk) in check_files()[1]
    monkeypatch.setattr("secure_django.photos.status.NEIGHBORS", 2)
    assert "of 2 that were checked" in check_files()[1]
