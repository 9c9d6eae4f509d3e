"""Encrypted fields and key rotation."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from core.testing import MakePhoto
from uploads.models import Photo


@pytest.mark.control("fernet")
def test_original_name_is_encrypted_in_the_database(make_photo: MakePhoto) -> None:
    photo = make_photo()
    assert photo.original_name == "holiday.jpg"
    with connection.cursor() as cursor:
        cursor.execute("SELECT original_name FROM uploads_photo")
        assert "holiday" not in cursor.fetchone()[0]
    with pytest.raises(FieldError):
        Photo.objects.filter(original_name="holiday.jpg")


@pytest.mark.control("fernet")
def test_wrong_key_raises_an_error(make_photo: MakePhoto, settings: Settings) -> None:
    make_photo()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(InvalidToken):
        Photo.objects.get()


@pytest.mark.control("fernet")
def test_rotation_re_encrypts_once_and_reports_failures(make_photo: MakePhoto, settings: Settings) -> None:
    photo = make_photo()
    old, new = settings.FIELD_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    for count in (1, 0):
        out = StringIO()
        call_command("rotate_encryption", stdout=out)
        assert f"uploads.Photo.original_name: {count} re-encrypted" in out.getvalue()
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert Photo.objects.get().original_name == "holiday.jpg"
    settings.FIELD_ENCRYPTION_KEYS = [old]
    err = StringIO()
    with pytest.raises(CommandError):
        call_command("rotate_encryption", stderr=err)
    assert str(photo.pk) in err.getvalue()
