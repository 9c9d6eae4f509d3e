import time
from collections.abc import Callable
from functools import partial
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction
from django.db.models import ExpressionWrapper, F, Value

from secure_django.encryption import (
    ContextError,
    EncryptedTextField,
    encryption_key_rotated,
    rotate,
)

type Rotate = Callable[[Any], Any]  # returns a stored value with a token of the new key

KEEP_KEYS = "Keep the old keys for 8 weeks: backups from before today need them."
BATCH_SIZE = 500
PROGRESS_SECONDS = 5


class Command(BaseCommand):
    help = (
        "Re-encrypt all data with the first of FIELD_ENCRYPTION_KEYS, and bind what a"
        " release before contexts has encrypted to its column."
        " After a stop, run it again to go on."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.failed = 0
        for model in apps.get_models():
            for field in model._meta.local_fields:
                if isinstance(field, EncryptedTextField):
                    rotate_token = partial(rotate, context=field.context)
                    self.rotate_field(model, field.name, rotate_token)
        targets: list[tuple[Any, Any]] = encryption_key_rotated.send(sender=type(self))
        for _, target in targets:
            self.rotate_field(*target)
        if self.failed:
            raise CommandError(
                f"{self.failed} rows could not be decrypted: see the lines above."
                " Keep the old keys and add the missing one."
            )
        self.stdout.write(KEEP_KEYS)

    def rotate_field(self, model: Any, name: str, rotate: Rotate) -> None:
        # The field's class without encryption: values are read and written as stored.
        field_class = model._meta.get_field(name).get_internal_type()
        plain = getattr(models, field_class)()
        stored = ExpressionWrapper(F(name), output_field=plain)
        rows = model._base_manager.annotate(stored=stored).order_by("pk").only("pk")
        rows = rows.exclude(**{f"{name}__isnull": True})
        label = f"{model._meta.label}.{name}"
        remaining = rows
        checked = 0
        rotated = 0
        shown_at = time.monotonic()
        while True:
            with transaction.atomic():
                # Locked before it is read: otherwise, a concurrent change would be
                # lost.
                batch = list(remaining.select_for_update()[:BATCH_SIZE])
                outdated = self.rotate_rows(batch, name, rotate)
                for row in outdated:
                    setattr(row, name, Value(row.stored, plain))
                model._base_manager.bulk_update(outdated, [name])
            if not batch:
                break
            remaining = rows.filter(pk__gt=batch[-1].pk)
            checked += len(batch)
            rotated += len(outdated)
            if time.monotonic() > shown_at + PROGRESS_SECONDS:
                shown_at = time.monotonic()
                progress = f"{checked} checked, {rotated} re-encrypted so far"
                self.stdout.write(f"{label}: {progress}")
        self.stdout.write(f"{label}: {rotated} re-encrypted")

    def rotate_rows(self, rows: list[Any], name: str, rotate: Rotate) -> list[Any]:
        """Return the rows whose stored value has changed. Report those that fail."""
        changed = []
        for row in rows:
            try:
                value = rotate(row.stored)
            except ContextError as error:
                self.report(row, str(error))
                continue
            except InvalidToken:
                self.report(row, f"no key decrypts its {name}")
                continue
            if value != row.stored:
                row.stored = value
                changed.append(row)
        return changed

    def report(self, row: Any, reason: str) -> None:
        self.failed += 1
        self.stderr.write(f"{row._meta.label} {row.pk}: {reason}")
