"""Create the table of the default cache, so that `migrate` alone sets up the project.

Also create the outbox of emails and the signs of life.
"""

from django.core.management import call_command
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

import secure_django.encryption


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    call_command(
        "createcachetable",
        "django_cache",
        database=schema_editor.connection.alias,
        verbosity=0,
    )


def drop(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute("DROP TABLE django_cache")


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.RunPython(create, drop),
        migrations.CreateModel(
            name="Mail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("due_at", models.DateTimeField(db_index=True, null=True)),
                ("claimed_until", models.DateTimeField(null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                (
                    "kind",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Awaited"),
                            (1, "Normal"),
                            (2, "Unverified"),
                            (3, "Unknown"),
                            (4, "Invitation"),
                        ]
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "content",
                    secure_django.encryption.EncryptedTextField(
                        context="secure_django.mail.content",
                        help_text="As JSON: the sender, the recipients and the MIME message.",
                    ),
                ),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["kind", "due_at"], name="secure_django_mail_due"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="LastRun",
            fields=[
                (
                    "name",
                    models.CharField(max_length=255, primary_key=True, serialize=False),
                ),
                ("at", models.DateTimeField()),
            ],
        ),
    ]
