"""Encrypted fields and key rotation."""

from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from secure_django.management.commands import rotate_encryption
from secure_django.photos.models import Photo
from secure_django.testing import Login, MakePhoto, MakeUser


@pytest.mark.control("V11.3.1")
@pytest.mark.control("V11.3.2")
@pytest.mark.control("fernet")
def test_original_name_is_encrypted_in_the_database(make_photo: MakePhoto) -> None:
    photo = make_photo()
    assert photo.original_name == "holiday.jpg"
    with connection.cursor() as cursor:
        cursor.execute("SELECT original_name FROM secure_django_photos_photo")
        (stored,) = cursor.fetchone()
    # Fernet: AES in CBC mode with a random start, then HMAC-SHA256.
    assert stored.startswith("gAAAAA")
    assert "holiday" not in stored
    with pytest.raises(FieldError):
        Photo.objects.filter(original_name="holiday.jpg")


@pytest.mark.control("fernet")
def test_value_without_its_key_is_shown_as_such_and_kept(
    make_photo: MakePhoto, make_user: MakeUser, settings: Settings, login: Login
) -> None:
    photo = make_photo()
    usual_keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    other = make_photo()
    names = dict(Photo.objects.values_list("pk", "original_name"))
    assert names == {
        photo.pk: "(cannot be decrypted)",
        other.pk: "holiday.jpg",
    }
    page = login(make_user("admin@example.com", is_staff=True, is_superuser=True)).get(
        f"/admin/secure_django_photos/photo/{photo.pk}/change/"
    )
    assert "(cannot be decrypted)" in page.text
    Photo.objects.get(pk=photo.pk).save()
    settings.FIELD_ENCRYPTION_KEYS = usual_keys
    assert Photo.objects.get(pk=photo.pk).original_name == "holiday.jpg"


@pytest.mark.control("fernet")
def test_rotation_re_encrypts_once_and_reports_failures(
    make_photo: MakePhoto, settings: Settings
) -> None:
    photo = make_photo()
    old_key = settings.FIELD_ENCRYPTION_KEYS[0]
    new_key = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new_key, old_key]
    for count in (1, 0):
        out = StringIO()
        call_command("rotate_encryption", stdout=out)
        assert (
            f"secure_django_photos.Photo.original_name: {count} re-encrypted"
            in out.getvalue()
        )
        assert "Keep the old keys" in out.getvalue()
    settings.FIELD_ENCRYPTION_KEYS = [new_key]
    assert Photo.objects.get().original_name == "holiday.jpg"
    settings.FIELD_ENCRYPTION_KEYS = [old_key]
    err = StringIO()
    with pytest.raises(CommandError, match=r"^2 "):
        call_command("rotate_encryption", stderr=err)
    assert str(photo.pk) in err.getvalue()


@pytest.mark.control("fernet")
def test_rotation_keeps_changes_made_meanwhile(
    make_photo: MakePhoto, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, deleted, other = (make_photo() for _ in range(3))
    old_key = settings.FIELD_ENCRYPTION_KEYS[0]
    new_key = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new_key, old_key]
    begin = transaction.atomic

    def change_first() -> Any:
        """Change rows just before the command locks them."""
        monkeypatch.setattr(transaction, "atomic", begin)
        # Like a web process not restarted yet.
        settings.FIELD_ENCRYPTION_KEYS = [old_key]
        Photo.objects.filter(pk=changed.pk).update(original_name="changed.jpg")
        settings.FIELD_ENCRYPTION_KEYS = [new_key, old_key]
        Photo.objects.filter(pk=deleted.pk).delete()
        return begin()

    monkeypatch.setattr(transaction, "atomic", change_first)
    with CaptureQueriesContext(connection) as queries:
        call_command("rotate_encryption", stdout=(out := StringIO()))
    reads = [query["sql"] for query in queries if 'AS "stored"' in query["sql"]]
    assert reads
    assert not connection.features.has_select_for_update or all(
        "FOR UPDATE" in sql for sql in reads
    )
    assert "original_name: 2 re-encrypted" in out.getvalue()
    settings.FIELD_ENCRYPTION_KEYS = [new_key]
    names = dict(Photo.objects.values_list("pk", "original_name"))
    assert names == {changed.pk: "changed.jpg", other.pk: "holiday.jpg"}


def test_stopped_rotation_goes_on(
    make_photo: MakePhoto, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        make_photo()
    settings.FIELD_ENCRYPTION_KEYS = [
        Fernet.generate_key().decode(),
        *settings.FIELD_ENCRYPTION_KEYS,
    ]
    monkeypatch.setattr(rotate_encryption, "BATCH_SIZE", 2)
    monkeypatch.setattr(rotate_encryption, "PROGRESS_SECONDS", -1)

    class Stopped(StringIO):
        def write(self, text: str) -> int:
            if "4 checked" in text:
                raise KeyboardInterrupt
            return super().write(text)

    with pytest.raises(KeyboardInterrupt):
        call_command("rotate_encryption", stdout=Stopped())
    call_command("rotate_encryption", stdout=(out := StringIO()))
    assert "5 checked, 1 re-encrypted so far" in out.getvalue()
    assert "original_name: 1 re-encrypted" in out.getvalue()
