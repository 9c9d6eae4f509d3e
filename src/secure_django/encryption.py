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
# What is encrypted begins with this byte, the length of its context and the context. No
# text in UTF-8 has the byte, so none can pass for a text with another context.
MARK = b"\xff"
LONGEST_CONTEXT = 255  # bytes


class ContextError(InvalidToken):
    """A key decrypts the token, but it is another column's, or no column's."""


@lru_cache(maxsize=8)
def fernet(*keys: str) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str, context: str) -> str:
    """Return a token that only the same context decrypts.

    A context names a place, such as a column: `notes.note.text`. It is no secret, and
    stays as it is for as long as there are tokens.
    """
    keys = fernet(*settings.FIELD_ENCRYPTION_KEYS)
    name = context.encode()
    if not 0 < len(name) <= LONGEST_CONTEXT:
        message = (
            f"A context has 1 to {LONGEST_CONTEXT} bytes, which {context!r} has not."
        )
        raise ValueError(message)
    content = MARK + bytes([len(name)]) + name + text.encode()
    return keys.encrypt(content).decode()


def decrypt(token: str, context: str) -> str:
    """Return the text of a token.

    Raise Fernet's InvalidToken when no key fits, and its subclass ContextError when the
    token was encrypted for another context, or without one.
    """
    found, text = open_token(token, *settings.FIELD_ENCRYPTION_KEYS)
    if found is None:
        message = f"{context}: a value without a context. Run rotate_encryption."
        raise ContextError(message)
    check_context(found, context)
    return text


def open_token(token: str, *keys: str) -> tuple[str | None, str]:
    """Return the context of a token, or None if it has none, and the text."""
    content = fernet(*keys).decrypt(token.encode())
    if not content.startswith(MARK):
        return None, content.decode()
    start = len(MARK) + 1
    end = start + content[len(MARK)]
    return content[start:end].decode(), content[end:].decode()


def check_context(found: str, context: str) -> None:
    if found != context:
        message = (
            f"{context}: a value that was encrypted for {found}. If the column was"
            f' renamed, write context="{found}" on its field. Otherwise its token was'
            " copied: copy the text instead, through the models."
        )
        raise ContextError(message)


def rotate(token: str, context: str) -> str:
    """Return the token if the newest key decrypts it, otherwise a new one.

    A token without a context gets this one. Raise InvalidToken when no key fits, and
    ContextError when the token has another context.
    """
    newest_key = settings.FIELD_ENCRYPTION_KEYS[0]
    try:
        found, text = open_token(token, newest_key)
        is_outdated = found is None
    except InvalidToken:
        found, text = open_token(token, *settings.FIELD_ENCRYPTION_KEYS)
        is_outdated = True
    if found is not None:
        check_context(found, context)
    return encrypt(text, context) if is_outdated else token


class Unreadable(str):
    """A placeholder for a text that cannot be decrypted.

    Pages and jobs go on with the placeholder. Saving it keeps the token of the text.
    """

    token: str
    context: str
    reason: str


def make_unreadable(token: str, context: str, reason: str) -> Unreadable:
    logger.error("%s", reason)
    unreadable = Unreadable(_("(cannot be decrypted)"))
    unreadable.token = token
    unreadable.context = context
    unreadable.reason = reason
    return unreadable


def token_of(unreadable: Unreadable, context: str) -> str:
    """Return the token of a text that is stored again in the same column."""
    if unreadable.context != context:
        message = (
            f"A text of {unreadable.context} cannot be stored in {context},"
            " since it cannot be decrypted."
        )
        raise ValueError(message)
    return unreadable.token


class EncryptedTextField(models.TextField):
    """Store text as a Fernet token and None as NULL.

    The only lookup is `isnull`: equal texts have different tokens. A token is bound to
    the column by its context, which migrations pin: by default
    `app_label.model.field`. After a rename, write the pinned one in the model:
    `context="notes.note.text"`. On an abstract model, `%(app_label)s` and `%(class)s`
    stand for those of each subclass, as in Django's `related_name`.
    """

    # The guard takes such a text for a user's, even if no form has it.
    is_encrypted = True
    # No column changes with its context.
    non_db_attrs = (*models.TextField.non_db_attrs, "context")

    def __init__(self, *args: Any, context: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.given_context = context
        self.context = context or ""

    def contribute_to_class(
        self, cls: type[models.Model], name: str, private_only: bool = False
    ) -> None:
        super().contribute_to_class(cls, name, private_only)
        app_label = cls._meta.app_label
        model_name = cls._meta.model_name
        if self.given_context is None:
            self.context = f"{app_label}.{model_name}.{name}".lower()
        else:
            words = {"app_label": app_label, "class": model_name}
            self.context = self.given_context % words

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if self.context:
            kwargs["context"] = self.context
        return name, path, args, kwargs

    def get_prep_value(self, value: Any) -> str | None:
        text = super().get_prep_value(value)
        if isinstance(text, Unreadable):
            return token_of(text, self.context)
        return None if text is None else encrypt(text, self.context)

    def from_db_value(
        self, value: str | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> str | None:
        if value is None:
            return None
        try:
            return decrypt(value, self.context)
        except ContextError as error:
            return make_unreadable(value, self.context, str(error))
        except InvalidToken:
            reason = f"{self.context}: FIELD_ENCRYPTION_KEYS lacks the key of a value."
            return make_unreadable(value, self.context, reason)

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        """Keep a text whose placeholder a form shows and sends back."""
        if data != self.value_from_object(instance):
            super().save_form_data(instance, data)

    def value_to_string(self, obj: models.Model) -> str:
        """Return the text for a dump, which must not replace it by the placeholder."""
        text = self.value_from_object(obj)
        if isinstance(text, Unreadable):
            raise ValueError(text.reason)
        return str(super().value_to_string(obj))

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(
                f"An encrypted field has no lookup '{lookup_name}':"
                " equal texts have different tokens."
            )
        return super().get_lookup(lookup_name)
