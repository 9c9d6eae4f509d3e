"""Text that is encrypted before it reaches the database."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal

# Sent by rotate_encryption: receivers re-encrypt what they keep outside of the fields below, and return how much.
rotating = Signal()


@lru_cache(maxsize=8)
def fernet(*keys: str) -> MultiFernet:
    """Encrypts with the first of the keys and decrypts with any of them."""
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    return fernet(*settings.FIELD_ENCRYPTION_KEYS).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raises cryptography.fernet.InvalidToken when no key fits: never hands out ciphertext as if it were text."""
    return fernet(*settings.FIELD_ENCRYPTION_KEYS).decrypt(token.encode()).decode()


def is_current(token: str) -> bool:
    """Tells whether a token is encrypted with the newest key."""
    try:
        fernet(settings.FIELD_ENCRYPTION_KEYS[0]).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


class EncryptedTextField(models.TextField):
    """A text column that holds Fernet tokens; None stays NULL. It can't be searched, only tested for NULL."""

    def get_prep_value(self, value: Any) -> str | None:
        text = super().get_prep_value(value)
        return None if text is None else encrypt(text)

    def from_db_value(self, value: str | None, expression: Any, connection: BaseDatabaseWrapper) -> str | None:
        return None if value is None else decrypt(value)

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"An encrypted field has no lookup '{lookup_name}': equal texts differ as tokens.")
        return super().get_lookup(lookup_name)
