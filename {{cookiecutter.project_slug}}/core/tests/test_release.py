"""What releases ask: which one answers, and what migrations do to a running one."""

import pytest
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations import operations as it
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ModelState, ProjectState

from core.management.commands.unapplied_migrations import dangers
from core.testing import HTTPSClient

FIELDS: list[tuple[str, models.Field]] = [
    ("id", models.BigAutoField(primary_key=True)),
    ("title", models.CharField(max_length=9)),
]
BEFORE = ProjectState()
BEFORE.add_model(ModelState("books", "Book", FIELDS))
INDEX = models.Index(fields=["title"], name="title")
UNIQUE = models.UniqueConstraint(fields=["title"], name="title")


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (
            it.AddField("Book", "place", models.TextField(default="")),
            "needs db_default",
        ),
        (it.RemoveField("Book", "title"), "fails where it reads or writes"),
        (it.RenameField("Book", "title", "name"), "fails where it reads or writes"),
        (it.DeleteModel("Book"), "fails where it reads or writes"),
        (it.RenameModel("Book", "Volume"), "fails where it reads or writes"),
        (
            it.AlterField("Book", "title", models.CharField(max_length=5)),
            "(max_length)",
        ),
        (
            it.AlterField("Book", "title", models.TextField(unique=True)),
            "(max_length, type, unique)",
        ),
        (
            it.AlterField(
                "Book", "title", models.CharField(max_length=9, db_column="name")
            ),
            "(db_column)",
        ),
        (it.AddConstraint("Book", UNIQUE), "may write rows that it refuses"),
        (
            it.AlterUniqueTogether("Book", {("title",)}),
            "may write rows that it refuses",
        ),
        (it.RunSQL("DELETE FROM books_book"), "read it"),
        (
            it.SeparateDatabaseAndState([it.RemoveField("Book", "title")]),
            "fails where it reads or writes",
        ),
    ],
)
def test_harm_to_the_running_release_is_named(
    operation: Operation, reason: str
) -> None:
    (danger,) = dangers(operation, "books", BEFORE)
    assert reason in danger


@pytest.mark.parametrize(
    "operation",
    [
        it.AddField("Book", "place", models.TextField(db_default="")),
        it.AddField("Book", "place", models.TextField(null=True)),
        it.AlterField(
            "Book",
            "title",
            models.CharField("Name", max_length=9, null=True, default="?"),
        ),
        it.CreateModel("Author", FIELDS),
        it.RemoveField("Author", "name"),
        it.AlterField("Book", "place", models.TextField()),
        it.AddIndex("Book", INDEX),
        AddIndexConcurrently("Book", INDEX),
        it.SeparateDatabaseAndState(state_operations=[it.RemoveField("Book", "title")]),
    ],
)
def test_what_the_running_release_does_not_notice_is_not_named(
    operation: Operation,
) -> None:
    assert not list(dangers(operation, "books", BEFORE))


@pytest.mark.django_db
def test_only_unapplied_migrations_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call_command("unapplied_migrations")
    assert not capsys.readouterr().out
    MigrationRecorder(connection).record_unapplied("core", "0001_initial")
    call_command("unapplied_migrations")
    assert capsys.readouterr().out.startswith("core.0001_initial\n")
    recorder = MigrationRecorder(connection)
    recorder.migration_qs.exclude(app__in=["auth", "contenttypes"]).delete()
    recorder.record_unapplied("auth", "0012_alter_user_first_name_max_length")
    call_command("unapplied_migrations")
    assert (
        "first_name on user: the running release may write what"
        in capsys.readouterr().out
    )


@pytest.mark.control("V13.4.5")
@pytest.mark.django_db
def test_ready_confirms_a_release_and_never_names_it(client: HTTPSClient) -> None:
    name = settings.BASE_DIR.name
    for asked, status in ((name, 200), ("another", 503), ("", 503), (name[:-1], 503)):
        response = client.get("/health/ready/", headers={"x-release": asked})
        assert response.status_code == status, asked
        assert "X-Release" not in response.headers
