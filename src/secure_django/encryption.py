import logging
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal
from django.utils.translation import gettext as _

from secure_django.extras import importing

with importing("secure_django.encryption", extra="site"):
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

__all__ = ["EncryptedTextField"]

logger = logging.getLogger(__name__)
# Sent by rotate_encryption. A receiver returns a model, the name of a field, and a
# function that rotates the tokens in a value of the field.
encryption_key_rotated = Signal()


@lru_cache(maxsize=8)
def fernet(*keys: str) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    keys = fernet(*settings.FIELD_ENCRYPTION_KEYS)
    return keys.encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Return the text of a token; raise Fernet's InvalidToken when no key fits."""
    keys = fernet(*settings.FIELD_ENCRYPTION_KEYS)
    return keys.decrypt(token.encode()).decode()


def rotate(token: str) -> str:
    """Return the token if the newest key decrypts it, otherwise a new one.

    Raise InvalidToken when no key fits.
    """
    newest_key = fernet(settings.FIELD_ENCRYPTION_KEYS[0])
    try:
        newest_key.decrypt(token.encode())
    except InvalidToken:
        return encrypt(decrypt(token))
    return token


class Unreadable(str):
    """A placeholder for a text whose key is missing.

    Pages and jobs go on with the placeholder. Saving it keeps the token of the text.
    """

    token: str


class EncryptedTextField(models.TextField):
    """Store text as a Fernet token and None as NULL.

    The only lookup is `isnull`: equal texts have different tokens.
    """

    # The guard takes such a text for a user's, even if no form has it.
    is_encrypted = True

    def get_prep_value(self, value: Any) -> str | None:
        text = super().get_prep_value(value)
        if isinstance(text, Unreadable):
            return text.token
        return None if text is None else encrypt(text)

    def from_db_value(
        self, value: str | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> str | None:
        if value is None:
            return None
        try:
            return decrypt(value)
        except InvalidToken:
            logger.error("no key decrypts a value of %s", self)
            unreadable = Unreadable(_("(cannot be decrypted: its key is missing)"))
            unreadable.token = value
            return unreadable

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(
                f"An encrypted field has no lookup '{lookup_name}':"
                " equal texts have different tokens."
            )
        return super().get_lookup(lookup_name)
