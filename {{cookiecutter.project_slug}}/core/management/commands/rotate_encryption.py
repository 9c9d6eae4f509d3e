from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, TextField

from core.encryption import EncryptedTextField, encryption_key_rotated, is_encrypted_with_newest_key


class Command(BaseCommand):
    help = "Re-encrypt all data with the first of FIELD_ENCRYPTION_KEYS. Safe to interrupt and to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        fields = [field for model in apps.get_models() for field in model._meta.local_fields]
        for field in [it for it in fields if isinstance(it, EncryptedTextField)]:
            model, column, rotated = field.model, field.name, 0
            for pk in outdated_keys(model, column):
                try:
                    # The lock keeps a concurrent change. A row that is gone by now needs none.
                    with transaction.atomic():
                        for row in model._base_manager.select_for_update().filter(pk=pk):
                            row.save(update_fields=[column])
                            rotated += 1
                except InvalidToken:
                    failed += 1
                    self.stderr.write(f"{model._meta.label} {pk}: no key decrypts its {column}")
            self.stdout.write(f"{model._meta.label}.{column}: {rotated} re-encrypted")
        for receiver, count in encryption_key_rotated.send(sender=type(self)):
            self.stdout.write(f"{receiver.__name__}: {count} re-encrypted")
        if failed:
            raise CommandError(f"{failed} rows could not be decrypted. Keep the old keys and add the missing one.")


def outdated_keys(model: type[models.Model], column: str) -> list[Any]:
    """Return the primary keys of rows that are not encrypted with the newest key."""
    token = ExpressionWrapper(F(column), output_field=TextField())
    rows = model._base_manager.exclude(**{f"{column}__isnull": True}).annotate(token=token).values_list("pk", "token")
    return [pk for pk, token in rows.iterator() if not is_encrypted_with_newest_key(token)]
