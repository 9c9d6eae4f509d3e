"""Copied into a generated project: what its owner need not run each time, since no control hangs on it alone."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, EM101, I001, INP001, TRY003

import logging
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from config.tests.test_access import ROUTES, Address, address
from conftest import PASSWORD, HTTPSClient, Login, MakePhoto, Upload
from uploads.models import Photo
from users.models import User

__all__ = ["address"]


def test_no_form_takes_what_it_does_not_offer(
    client: HTTPSClient, user: User, stranger: User, address: Address
) -> None:
    new, photo = "a harbour at noon", Photo.objects.get()
    fields = dict.fromkeys(("password", "old_password", "oldpassword"), PASSWORD)
    fields |= dict.fromkeys(("new_password1", "new_password2", "password1", "password2"), new)
    forged = {"is_staff": "1", "is_superuser": "1", "user_permissions": "1", "groups": "1", "status": "approved"}
    for route in ROUTES:
        with transaction.atomic():
            client.force_login(user)
            client.post(address(route), fields | forged | {"owner": str(stranger.pk), "user": str(stranger.pk)})
            user.refresh_from_db()
            photo.refresh_from_db()
            assert (user.is_staff, user.is_superuser, user.user_permissions.count()) == (False, False, 0), route
            assert (photo.status != "approved", photo.owner) == (True, user), route
            transaction.set_rollback(True)


def test_gallery_costs_the_same_for_one_photo_and_for_many(
    client: HTTPSClient, make_photo: MakePhoto, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 9):
        for _ in range(count):
            make_photo(status="approved")
        with django_assert_num_queries(2):  # how many there are, and a page of them
            client.get("/")


def test_disk_that_fails_loses_no_promise(
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


def test_events_of_an_upload_hold_no_personal_data(
    login: Login, user: User, upload: Upload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    upload(login(user), name="private-name.jpg", title="Private title")
    for private in (user.email, "private-name", "Private title"):
        assert private not in caplog.text
