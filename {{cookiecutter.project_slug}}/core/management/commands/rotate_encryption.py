import time
from collections.abc import Callable
from itertools import chain
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models, transaction
from django.db.models import ExpressionWrapper, F

from core.encryption import EncryptedTextField, encryption_key_rotated, rotate

BATCH_SIZE = 500
PROGRESS_SECONDS = 5


class Command(BaseCommand):
    help = "Re-encrypt all data with the first of FIELD_ENCRYPTION_KEYS. After a stop, run it again to go on."

    def handle(self, *args: Any, **options: Any) -> None:
        self.failed = 0
        for model in apps.get_models():
            for field in model._meta.local_fields:
                if isinstance(field, EncryptedTextField):
                    self.rotate_field(model, field.name, rotate)
        targets: list[tuple[Any, Any]] = encryption_key_rotated.send(sender=type(self))
        for _, target in targets:
            self.rotate_field(*target)
        if self.failed:
            raise CommandError(f"{self.failed} rows could not be decrypted. Keep the old keys and add the missing one.")

    def rotate_field(self, model: Any, name: str, rotate: Callable[[Any], Any]) -> None:
        # The field's class without encryption: values are read and written as they are stored.
        meta: Any = model._meta
        field, pk_field = meta.get_field(name), meta.pk
        plain = getattr(models, field.get_internal_type())()
        stored = model._base_manager.annotate(stored=ExpressionWrapper(F(name), output_field=plain))
        rows = stored.exclude(**{f"{name}__isnull": True}).order_by("pk").values_list("pk", "stored")
        # SQL with names of the models alone. The ORM needs eight times as much processor time.
        table, column, key = map(connection.ops.quote_name, (meta.db_table, field.column, pk_field.column))
        update = f"UPDATE {table} SET {column} = new.column2 FROM (VALUES "  # noqa: S608  # nosec B608
        where = f") AS new WHERE {table}.{key} = new.column1"
        label, checked, rotated, shown = f"{meta.label}.{name}", 0, 0, time.monotonic()
        batch = list(rows[:BATCH_SIZE])
        while batch:
            before, after = dict(batch), {}
            for pk, value in batch:
                try:
                    after[pk] = rotate(value)
                except InvalidToken:
                    self.failed += 1
                    self.stderr.write(f"{meta.label} {pk}: no key decrypts its {name}")
            outdated = [pk for pk, value in after.items() if value != before[pk]]
            with transaction.atomic():
                # Under a lock, and again if the row has changed since it was read.
                locked = rows.select_for_update().filter(pk__in=outdated)
                after = {pk: after[pk] if value == before[pk] else rotate(value) for pk, value in locked}
                prepare_pk, prepare = pk_field.get_db_prep_save, plain.get_db_prep_save
                pairs = [(prepare_pk(pk, connection), prepare(value, connection)) for pk, value in after.items()]
                if pairs:
                    with connection.cursor() as cursor:
                        cursor.execute(update + ", ".join(["(%s, %s)"] * len(pairs)) + where, [*chain(*pairs)])
            checked, rotated = checked + len(batch), rotated + len(after)
            if time.monotonic() > shown + PROGRESS_SECONDS:
                shown = time.monotonic()
                self.stdout.write(f"{label}: {checked} checked, {rotated} re-encrypted so far")
            batch = list(rows.filter(pk__gt=batch[-1][0])[:BATCH_SIZE])
        self.stdout.write(f"{label}: {rotated} re-encrypted")
