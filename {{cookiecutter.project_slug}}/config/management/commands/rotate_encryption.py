"""Re-encrypts everything with the newest key, after which the older ones can go."""

from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, TextField

from config.encryption import EncryptedTextField, is_current, rotating


class Command(BaseCommand):
    help = "Re-encrypts what is not encrypted with the first of FIELD_ENCRYPTION_KEYS; safe to repeat and to interrupt."

    def handle(self, *args: Any, **options: Any) -> None:
        lost = 0
        columns = [
            (model, field.name)
            for model in apps.get_models()
            for field in model._meta.local_fields
            if isinstance(field, EncryptedTextField)
        ]
        for model, column in columns:
            rotated = 0
            for pk in outdated(model, column):
                try:
                    rotated += rotate(model, column, pk)
                except InvalidToken:
                    lost += 1
                    self.stderr.write(f"{model._meta.label} {pk}: none of the keys reads its {column}")
            self.stdout.write(f"{model._meta.label}.{column}: {rotated} re-encrypted")
        for receiver, count in rotating.send(sender=type(self)):
            self.stdout.write(f"{receiver.__name__}: {count} re-encrypted")
        if lost:
            raise CommandError(f"{lost} rows could not be read: keep the old keys, and find the one that is missing.")


def outdated(model: type[models.Model], column: str) -> list[Any]:
    """Returns the keys of rows whose token the newest key can't read."""
    token = ExpressionWrapper(F(column), output_field=TextField())
    rows = model._base_manager.exclude(**{f"{column}__isnull": True}).annotate(token=token).values_list("pk", "token")
    return [pk for pk, token in rows.iterator() if not is_current(token)]


def rotate(model: type[models.Model], column: str, pk: Any) -> int:
    """Writes one row again, locked, so that a change made meanwhile is not lost."""
    with transaction.atomic():
        row = model._base_manager.select_for_update().filter(pk=pk).first()
        if row is not None:
            row.save(update_fields=[column])
    return int(row is not None)
