"""Encrypted fields and key rotation."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from django.db.models import ExpressionWrapper, F, Value
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from secure_django.encryption import ContextError, decrypt, encrypt
from secure_django.management.commands import rotate_encryption
from secure_django.models import Mail, QueuedTask
from secure_django.photos.models import Photo
from secure_django.testing import Login, MakePhoto, MakeUser
from users.models import User

UNREADABLE = "(cannot be decrypted)"
NAME = "users.user.name"
ORIGINAL_NAME = "secure_django_photos.photo.original_name"


def read_token(model: Any, name: str) -> str:
    """Return what the only row of a model stores in an encrypted field."""
    stored = ExpressionWrapper(F(name), output_field=models.TextField())
    return str(model.objects.annotate(stored=stored).get().stored)


def store_token(model: Any, name: str, token: str) -> None:
    """Store a token in all rows of a model, as SQL would."""
    model.objects.update(**{name: Value(token, models.TextField())})


def make_task(arguments: str) -> None:
    now = timezone.now()
    QueuedTask.objects.create(arguments=arguments, turn=1, priority=0, enqueued_at=now)


def encrypt_without_context(text: str, key: str) -> str:
    """Return a token as releases before contexts made it."""
    return Fernet(key).encrypt(text.encode()).decode()


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
        photo.pk: UNREADABLE,
        other.pk: "holiday.jpg",
    }
    page = login(make_user("admin@example.com", is_staff=True, is_superuser=True)).get(
        f"/admin/secure_django_photos/photo/{photo.pk}/change/"
    )
    assert UNREADABLE in page.text
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


@pytest.mark.control("fernet")
def test_token_of_another_column_is_not_decrypted(
    make_photo: MakePhoto, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    photo = make_photo(owner=user)
    User.objects.update(name="Ada")
    copied = read_token(Photo, "original_name")
    store_token(User, "name", copied)
    read = User.objects.get()
    assert read.name == UNREADABLE
    assert "holiday" not in str(User.objects.values_list("name", flat=True))
    (message, *_) = caplog.messages
    assert message == (
        f"{NAME}: a value that was encrypted for {ORIGINAL_NAME}. If the column was"
        f' renamed, write context="{ORIGINAL_NAME}" on its field. Otherwise its token'
        " was copied: copy the text instead, through the models."
    )
    assert copied not in caplog.text
    read.save()
    assert read_token(User, "name") == copied, "nothing is lost"
    User.objects.update(name="Ada")
    assert User.objects.get().name == "Ada"
    assert Photo.objects.get(pk=photo.pk).original_name == "holiday.jpg"


@pytest.mark.control("fernet")
def test_token_fits_no_other_context() -> None:
    token = encrypt("Ada", NAME)
    assert decrypt(token, NAME) == "Ada"
    for context in ("users.user.nam", f"{NAME}s", "", "USERS.USER.NAME"):
        with pytest.raises(ContextError, match=f"encrypted for {NAME}"):
            decrypt(token, context)


@pytest.mark.parametrize("context", ["", "é" * 128])
def test_context_that_does_not_fit_is_refused(context: str) -> None:
    with pytest.raises(ValueError, match="A context has 1 to 255 bytes"):
        encrypt("Ada", context)


@pytest.mark.parametrize("text", ["", "\xff", "\xff\x0fusers.user.name", "é\0\n😀"])
def test_longest_context_and_any_text_are_read_again(text: str) -> None:
    context = "é" * 127 + "e"
    assert decrypt(encrypt(text, context), context) == text


@pytest.mark.parametrize(
    "text",
    ["", "Ada", f"\xff{chr(len(NAME))}{NAME}Eve", f"{chr(len(NAME))}{NAME}Eve"],
)
@pytest.mark.control("fernet")
def test_token_without_a_context_is_refused_until_the_rotation(
    text: str, user: User, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    old = encrypt_without_context(text, settings.FIELD_ENCRYPTION_KEYS[0])
    store_token(User, "name", old)
    assert User.objects.get().name == UNREADABLE
    assert caplog.messages == [
        f"{NAME}: a value without a context. Run rotate_encryption."
    ]
    for count in (1, 0):
        call_command("rotate_encryption", stdout=(out := StringIO()))
        assert f"users.User.name: {count} re-encrypted" in out.getvalue()
    assert User.objects.get().name == text
    # As after a restore, by keys of which the newest is younger than the backup.
    store_token(User, "name", old)
    settings.FIELD_ENCRYPTION_KEYS = [
        Fernet.generate_key().decode(),
        *settings.FIELD_ENCRYPTION_KEYS,
    ]
    call_command("rotate_encryption", stdout=StringIO())
    assert User.objects.get().name == text


@pytest.mark.parametrize("is_newest", [True, False])
@pytest.mark.control("fernet")
def test_rotation_binds_no_token_of_another_column(
    is_newest: bool, user: User, settings: Settings
) -> None:
    copied = encrypt("holiday.jpg", ORIGINAL_NAME)
    store_token(User, "name", copied)
    if not is_newest:
        settings.FIELD_ENCRYPTION_KEYS = [
            Fernet.generate_key().decode(),
            *settings.FIELD_ENCRYPTION_KEYS,
        ]
    with pytest.raises(CommandError, match=r"^1 "):
        call_command("rotate_encryption", stderr=(err := StringIO()))
    assert f"users.User {user.pk}: {NAME}: a value that was" in err.getvalue()
    assert read_token(User, "name") == copied


def test_expression_copies_a_token_that_its_new_column_does_not_decrypt(
    user: User,
) -> None:
    make_task('{"args": []}')
    QueuedTask.objects.update(result=F("arguments"))
    row = QueuedTask.objects.get()
    assert (row.arguments, row.result) == ('{"args": []}', UNREADABLE)
    # The way that copies the text.
    row.result = row.arguments
    row.save()
    assert QueuedTask.objects.get().result == '{"args": []}'


def test_text_without_its_key_is_stored_in_no_other_column(
    user: User, settings: Settings
) -> None:
    make_task('{"args": []}')
    usual_keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    row = QueuedTask.objects.get()
    row.result = row.arguments
    message = r"queuedtask\.arguments cannot be stored in"
    with pytest.raises(ValueError, match=message), transaction.atomic():
        row.save()
    settings.FIELD_ENCRYPTION_KEYS = usual_keys
    assert QueuedTask.objects.get().arguments == '{"args": []}'


def test_every_way_to_read_and_write_a_field_has_its_context(
    make_photo: MakePhoto, user: User
) -> None:
    photo = make_photo(owner=user)
    User.objects.update(name="Ada")
    photo.original_name = "beach.jpg"
    Photo.objects.bulk_update([photo], ["original_name"])
    rows = Photo.objects.all()
    assert rows.get().original_name == "beach.jpg"
    assert rows.only("pk").get().original_name == "beach.jpg"
    assert rows.values_list("original_name", "owner__name").get() == (
        "beach.jpg",
        "Ada",
    )
    assert rows.annotate(who=F("owner__name")).values_list("who").get() == ("Ada",)
    names = User.objects.filter(pk=models.OuterRef("owner")).values("name")
    annotated = rows.annotate(who=models.Subquery(names))
    assert annotated.values_list("who").get() == ("Ada",)
    (read,) = Photo.objects.raw("SELECT * FROM secure_django_photos_photo")
    assert read.original_name == "beach.jpg"
    photo.original_name = "sea.jpg"
    Photo.objects.bulk_create(
        [photo],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["original_name"],
    )
    assert rows.get().original_name == "sea.jpg"


def test_form_that_sends_the_placeholder_back_keeps_the_text(
    user: User, settings: Settings, login: Login
) -> None:
    User.objects.update(name="Ada")
    usual_keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    url = "/accounts/profile/"
    client = login(user)
    assert UNREADABLE in client.get(url).text
    client.post(url, {"name": UNREADABLE})
    settings.FIELD_ENCRYPTION_KEYS = usual_keys
    assert User.objects.get().name == "Ada"
    # The session was encrypted with the other key.
    login(user).post(url, {"name": "Eve"})
    assert User.objects.get().name == "Eve"


def test_fixture_has_the_text_and_is_bound_again(user: User, tmp_path: Path) -> None:
    User.objects.update(name="Ada")
    fixture = tmp_path / "users.json"
    call_command("dumpdata", "users.user", output=str(fixture))
    assert '"name": "Ada"' in fixture.read_text(encoding="utf-8")
    User.objects.update(name="Eve")
    call_command("loaddata", str(fixture), verbosity=0)
    assert User.objects.get().name == "Ada"
    assert decrypt(read_token(User, "name"), NAME) == "Ada"


def test_fixture_never_has_the_placeholder_of_a_text(
    user: User, settings: Settings
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="FIELD_ENCRYPTION_KEYS lacks the key"):
        call_command("dumpdata", "users.user", stdout=(out := StringIO()))
    assert UNREADABLE not in out.getvalue()


@pytest.mark.django_db
def test_email_without_a_context_waits_for_the_rotation(settings: Settings) -> None:
    content = '["site@example.com", ["ada@example.com"], "Subject: Hello"]'
    now = timezone.now()
    Mail.objects.create(
        kind=Mail.Kind.NORMAL, content=content, due_at=now, expires_at=now
    )
    key = settings.FIELD_ENCRYPTION_KEYS[0]
    store_token(Mail, "content", encrypt_without_context(content, key))
    assert Mail.objects.get().content == UNREADABLE
    call_command("rotate_encryption", stdout=StringIO())
    assert Mail.objects.get().content == content
