"""Robustness tests that are copied into a generated project: forms, migrations, queries, storage, personal data."""

# These imports exist in a generated project only; test_emitted.py checks the types there.
# mypy: ignore-errors
# ruff: noqa: ANN401, EM101, I001, INP001, TRY003

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import transaction
from django.urls import get_resolver
from pytest_django import DjangoAssertNumQueries

from core.testing import PASSWORD, HTTPSClient, Login, MakePhoto, Upload
from uploads.models import Photo
from users.models import User


def urls(patterns: list[Any], values: Mapping[str, object], prefix: str = "/") -> Iterator[str]:
    """Yield the URL of every view, with these values for its parameters and 1 for all others."""
    for pattern in patterns:
        parameter = r"\(\?P<(\w+)>.*?\)|<(?:\w+:)?(\w+)>"
        part = re.sub(parameter, lambda it: str(values.get(it[1] or it[2], 1)), str(pattern.pattern))
        if hasattr(pattern, "url_patterns"):
            yield from urls(pattern.url_patterns, values, prefix + part)
        else:
            yield prefix + part.strip("^$")


@pytest.mark.parametrize("target", ["photo", "user"])
def test_forms_ignore_fields_that_they_do_not_offer(
    target: str, client: HTTPSClient, user: User, other_user: User, make_photo: MakePhoto
) -> None:
    new, photo = "a harbor at noon", make_photo()
    fields = dict.fromkeys(("password", "old_password", "oldpassword"), PASSWORD)
    fields |= dict.fromkeys(("new_password1", "new_password2", "password1", "password2"), new)
    fields |= {"is_staff": "1", "is_superuser": "1", "user_permissions": "1", "groups": "1", "status": "approved"}
    fields |= {"owner": str(other_user.pk), "user": str(other_user.pk)}
    object_id = photo.pk if target == "photo" else user.pk
    values = {"photo_id": photo.pk, "object_id": object_id, "variant": "display", "app_label": "uploads"}
    for url in urls(get_resolver().url_patterns, values):
        with transaction.atomic():
            client.force_login(user)
            client.post(url, fields)
            user.refresh_from_db()
            photo.refresh_from_db()
            assert (user.is_staff, user.is_superuser, user.user_permissions.count()) == (False, False, 0), url
            assert (photo.status != "approved", photo.owner) == (True, user), url
            transaction.set_rollback(True)


@pytest.mark.django_db
def test_models_need_no_other_migration() -> None:
    call_command("makemigrations", "--check", "--dry-run")


def test_gallery_needs_one_query_for_any_number_of_photos(
    client: HTTPSClient, make_photo: MakePhoto, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 9):
        for _ in range(count):
            make_photo(status="approved")
        with django_assert_num_queries(1):
            client.get("/")


def test_storage_failure_leaves_no_photo_and_no_files(
    login: Login, user: User, upload: Upload, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = default_storage.save

    def fail(name: str, content: Any) -> str:
        if "thumbnail" in name:
            raise OSError("disk full")
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
