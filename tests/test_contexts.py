"""The contexts of encrypted fields: what pins them, also when names change."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model
from django.test.utils import isolate_apps

from secure_django.checks import (
    Place,
    check_contexts,
    compare_contexts,
    fields_of_migrations,
    fields_of_models,
    find_shared_contexts,
)
from secure_django.encryption import EncryptedTextField


def context_of(model: type[Model], name: str) -> str:
    field = model._meta.get_field(name)
    assert isinstance(field, EncryptedTextField)
    return field.context


def pinned(**places: str) -> dict[Place, EncryptedTextField]:
    """Return fields of migrations: each place, with __ for a dot, and its context."""
    return {
        Place(*place.split("__")): EncryptedTextField(context=context)
        for place, context in places.items()
    }


def make_fields(context: str | None, *place: str) -> dict[Place, EncryptedTextField]:
    """Return the field of a model that stands at a place."""
    app_label, model_name, field_name = place
    field = EncryptedTextField(context=context)
    meta = type("Meta", (), {"app_label": app_label})
    with isolate_apps("example"):
        type(model_name, (Model,), {"__module__": "", "Meta": meta, field_name: field})
    return {Place(app_label, model_name.lower(), field_name): field}


def find_ids(messages: Any) -> list[str]:
    return [message.id.removeprefix("secure_django.") for message in messages]


def test_migrations_pin_the_context_of_each_encrypted_field() -> None:
    fields = fields_of_models()
    migrations = fields_of_migrations()
    contexts = {place: field.context for place, field in migrations.items()}
    assert contexts == {place: field.context for place, field in fields.items()}
    assert contexts[Place("users", "user", "name")] == "users.user.name"
    assert contexts[Place("secure_django", "mail", "content")] == (
        "secure_django.mail.content"
    )
    assert len(contexts) == 7
    assert check_contexts() == []


@isolate_apps("example")
def test_each_table_has_a_context_of_its_own() -> None:
    class Described(models.Model):
        text = EncryptedTextField()

        class Meta:
            app_label = "example"
            abstract = True

    class Note(Described):  # noqa: DJ008
        class Meta:
            app_label = "example"

    class Memo(Described):  # noqa: DJ008
        class Meta:
            app_label = "example"

    class LongMemo(Memo):  # noqa: DJ008
        ending = EncryptedTextField()

        class Meta:
            app_label = "example"

    class MemoProxy(Memo):  # noqa: DJ008
        class Meta:
            app_label = "example"
            proxy = True

    assert context_of(Note, "text") == "example.note.text"
    for model in (Memo, LongMemo, MemoProxy):
        assert context_of(model, "text") == "example.memo.text"
    assert context_of(LongMemo, "ending") == "example.longmemo.ending"


@isolate_apps("example")
def test_abstract_model_keeps_the_context_of_each_subclass() -> None:
    class Described(models.Model):
        body = EncryptedTextField(context="%(app_label)s.%(class)s.text")

        class Meta:
            app_label = "example"
            abstract = True

    class Note(Described):  # noqa: DJ008
        class Meta:
            app_label = "example"

    class Memo(Described):  # noqa: DJ008
        class Meta:
            app_label = "example"

    assert context_of(Note, "body") == "example.note.text"
    assert context_of(Memo, "body") == "example.memo.text"
    assert Memo._meta.get_field("body").clone().context == "example.memo.text"


@isolate_apps("example")
def test_copy_of_a_field_in_another_table_has_another_context() -> None:
    """As packages make it that keep the history of rows."""

    class Note(models.Model):  # noqa: DJ008
        text = EncryptedTextField()

        class Meta:
            app_label = "example"

    class NoteHistory(models.Model):  # noqa: DJ008
        text = copy.copy(Note._meta.get_field("text"))

        class Meta:
            app_label = "example"

    assert context_of(NoteHistory, "text") == "example.notehistory.text"
    assert context_of(Note, "text") == "example.note.text"


def test_field_outside_of_a_model_stores_nothing() -> None:
    with pytest.raises(ValueError, match="A context has 1 to 255 bytes"):
        EncryptedTextField().get_prep_value("Ada")


def test_context_changes_no_column() -> None:
    assert "context" in EncryptedTextField.non_db_attrs
    assert "blank" in EncryptedTextField.non_db_attrs


RENAMES = {
    "a field": ("notes", "Note", "body"),
    "a model": ("notes", "Memo", "text"),
    "an app, with a table of its own": ("memos", "Note", "text"),
}


@pytest.mark.parametrize("place", RENAMES.values(), ids=RENAMES.keys())
def test_renamed_field_must_say_its_context(place: tuple[str, str, str]) -> None:
    migrations = pinned(notes__note__text="notes.note.text")
    (error,) = compare_contexts(make_fields(None, *place), migrations)
    assert error.id == "secure_django.E802"
    default = ".".join(place).lower()
    assert 'write context="notes.note.text" on the field' in str(error.hint)
    assert f'If not, write context="{default}"' in str(error.hint)
    for context in ("notes.note.text", default):
        assert not [*compare_contexts(make_fields(context, *place), migrations)]


def test_new_field_says_nothing() -> None:
    migrations = pinned(notes__note__text="notes.note.text")
    fields = make_fields(None, "notes", "Note", "text")
    for place in (("notes", "Note", "body"), ("notes", "Memo", "text")):
        assert not [*compare_contexts(fields | make_fields(None, *place), migrations)]
    # Another model, with another field: Django finds no rename either.
    other = make_fields(None, "notes", "Memo", "body")
    assert not [*compare_contexts(other, migrations)]
    # Already renamed, by another field.
    renamed = make_fields("notes.note.text", "notes", "Note", "body")
    more = make_fields(None, "notes", "Note", "ending")
    assert not [*compare_contexts(renamed | more, migrations)]


@pytest.mark.parametrize("context", [None, "notes.note.other"])
def test_model_and_migrations_must_have_one_context(context: str | None) -> None:
    """As after RenameField without the context in the model, or a new app label."""
    migrations = pinned(notes__note__body="notes.note.text")
    fields = make_fields(context, "notes", "Note", "body")
    (error,) = compare_contexts(fields, migrations)
    assert error.id == "secure_django.E801"
    assert error.hint == 'Write context="notes.note.text" on the field.'
    same = make_fields("notes.note.text", "notes", "Note", "body")
    assert not [*compare_contexts(same, migrations)]


def test_two_columns_have_no_context_in_common() -> None:
    renamed = make_fields("notes.note.text", "notes", "Note", "body")
    fields = renamed | make_fields(None, "notes", "Note", "text")
    assert find_ids(find_shared_contexts(fields)) == ["E803", "E803"]
    own = make_fields("notes.note.text2", "notes", "Note", "text")
    assert not [*find_shared_contexts(renamed | own)]


def test_migrations_that_need_a_merge_are_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conflicts = {"notes": ["0002_text", "0002_body"]}
    monkeypatch.setattr(MigrationLoader, "detect_conflicts", lambda self: conflicts)
    assert fields_of_migrations() == {}


@isolate_apps("example")
def test_second_model_of_one_table_has_the_context_of_the_first() -> None:
    class Note(models.Model):  # noqa: DJ008
        text = EncryptedTextField()

        class Meta:
            app_label = "example"

    class NoteOfReports(models.Model):  # noqa: DJ008
        text = EncryptedTextField(context="example.note.text")

        class Meta:
            app_label = "example"
            db_table = "example_note"
            managed = False

    fields = {
        Place("example", model.__name__, "text"): model._meta.get_field("text")
        for model in (Note, NoteOfReports)
    }
    assert not [*find_shared_contexts(fields)]


MODELS = """\
from django.db import models
from secure_django.encryption import EncryptedTextField

class {model}(models.Model):
    title = models.CharField(max_length=20)
    {field}
"""
SETTINGS = """\
from pathlib import Path

SECRET_KEY = "x" * 50
FIELD_ENCRYPTION_KEYS = ["{key}"]
INSTALLED_APPS = [
    "secure_django", "django.contrib.auth", "django.contrib.contenttypes", "notes"
]
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": Path(__file__).with_name("db.sqlite3"),
}}}}
"""
MIGRATE = """\
import django
from django.core.management import call_command

django.setup()
call_command("makemigrations", "notes", skip_checks=False)
call_command("migrate", verbosity=0)
"""
CREATE = "from notes.models import Note; Note.objects.create(text='A secret')"
READ = "from notes.models import Memo; print(*Memo.objects.values_list())"
COPY = """\
from django.db import migrations
from secure_django.encryption import EncryptedTextField

def copy(apps, schema_editor):
    for memo in apps.get_model("notes", "Memo").objects.all():
        memo.copied = memo.body + " that was copied"
        memo.save()

class Migration(migrations.Migration):
    dependencies = [("notes", "{previous}")]
    operations = [
        migrations.AddField(
            "memo",
            "copied",
            EncryptedTextField(context="notes.memo.copied", null=True),
        ),
        migrations.RunPython(copy),
    ]
"""


def run_project(folder: Path, code: str) -> str:
    """Run code in a project, answer each question by yes, and return the output."""
    process = subprocess.run(
        # Without bytecode (-B): two versions of a file may have one time and one size.
        [sys.executable, "-B", "-c", code],
        cwd=folder,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "notes.settings"},
        input="y\n" * 9,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.stdout


def test_rename_keeps_stored_values(tmp_path: Path) -> None:
    """A team changes a model, and does what the checks say."""
    app = tmp_path / "notes"
    app.mkdir()
    (app / "__init__.py").touch()
    settings = SETTINGS.format(key=Fernet.generate_key().decode())
    (app / "settings.py").write_text(settings, encoding="utf-8")

    def change(model: str, field: str, more: str = "") -> str:
        text = MODELS.format(model=model, field=field)
        (app / "models.py").write_text(text, encoding="utf-8")
        return run_project(tmp_path, MIGRATE + more)

    assert "Create model Note" in change("Note", "text = EncryptedTextField()", CREATE)
    refused = change("Memo", "text = EncryptedTextField()")
    assert "notes.Memo.text: (secure_django.E802)" in refused
    assert len([*app.glob("migrations/0*.py")]) == 1
    old = 'EncryptedTextField(context="notes.note.text")'
    assert "Rename model Note to Memo" in change("Memo", f"text = {old}")
    assert "Rename field text on memo" in change("Memo", f"body = {old}")
    printed = change("Memo", f"body = {old}", READ)
    assert "No changes detected" in printed
    assert "(1, '', 'A secret')" in printed
    forgotten = change("Memo", "body = EncryptedTextField()")
    assert "notes.Memo.body: (secure_django.E801)" in forgotten
    # A migration decrypts and encrypts by the contexts of its own models.
    (previous,) = app.glob("migrations/0003*.py")
    text = COPY.format(previous=previous.stem)
    (app / "migrations" / "0004_copy.py").write_text(text, encoding="utf-8")
    fields = f"body = {old}\n    copied = EncryptedTextField(null=True)"
    printed = change("Memo", fields, READ)
    assert "No changes detected" in printed
    assert "(1, '', 'A secret', 'A secret that was copied')" in printed
    fields += "\n    label = EncryptedTextField(default='of old rows')"
    assert "'A secret that was copied', 'of old rows')" in change("Memo", fields, READ)
