"""Sessions in the database that open nothing for whoever reads it.

    SESSION_ENGINE = "secure_django.sessions"

The cookie has the key of a session. The database has a hash of the key, by which nobody
can log in, and the session's data encrypted.

A session that a clock which ran ahead would keep alive ends when it is loaded, or by
`clearsessions`.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends import db
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.module_loading import import_string

from secure_django.clock import CLOCK_DIFFERENCE, is_ahead

if TYPE_CHECKING:
    from django.contrib.sessions.base_session import AbstractBaseSession

__all__ = ["SessionStore"]

# Of 64: as many as a column of allauth has. 160 bits, and a key has 165.
HASH_LENGTH = 40
# Times in a session, of secure_django.web.middleware. An app may have others.
STARTED = "_secure_django_started"
RENEWED = "_secure_django_renewed"


class KeyHash(str):
    """The hash of a session's key, as the database has it.

    It equals the key as well: allauth compares a row with the session of a request.
    Only the type makes it a hash. The same characters in a cookie are one more key.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str):
            return False
        return str.__eq__(self, other) or str.__eq__(self, hash_key(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def hash_key(key: str) -> KeyHash:
    """Return the hash of a session's key. A hash stays as it is."""
    if isinstance(key, KeyHash):
        return key
    # A key is random, so its hash needs neither a salt nor time.
    return KeyHash(hashlib.sha256(key.encode()).hexdigest()[:HASH_LENGTH])


class SessionKeyField(models.CharField):
    """Store the hash of a session's key, and look rows up by key or hash."""

    def get_prep_value(self, value: Any) -> KeyHash | None:
        key = super().get_prep_value(value)
        # Django prepares the value of a key to this column twice.
        return None if key is None else hash_key(key)

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> str | None:
        key = super().get_db_prep_value(value, connection, prepared)
        return None if key is None else str(key)

    def from_db_value(
        self, value: str | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> KeyHash | None:
        return None if value is None else KeyHash(value)


class SessionStore(db.SessionStore):
    """Django's store on secure_django.models.Session, whose fields hash and encrypt."""

    @classmethod
    def get_model_class(cls) -> type["AbstractBaseSession"]:
        return apps.get_model("secure_django", "Session")

    @classmethod
    def clear_expired(cls) -> None:
        super().clear_expired()
        idle = timedelta(seconds=settings.SESSION_COOKIE_AGE)
        longest = timezone.now() + idle + CLOCK_DIFFERENCE
        rows = cls.get_model_class().objects.filter(expire_date__gt=longest)
        for row in rows.iterator():
            session = cls(row.session_key)
            if has_time_ahead(session.decode(row.session_data)):
                session.delete()

    def load(self) -> dict[str, Any]:
        data: dict[str, Any] = super().load()
        if not has_time_ahead(data):
            return data
        self.flush()
        return {}

    async def aload(self) -> dict[str, Any]:
        data: dict[str, Any] = await super().aload()
        if not has_time_ahead(data):
            return data
        await self.aflush()
        return {}


def has_time_ahead(data: Mapping[str, Any]) -> bool:
    """Return whether a session began, or was renewed, in the future."""
    moments = [data[name] for name in (STARTED, RENEWED) if name in data]
    return any(is_ahead(datetime.fromisoformat(moment)) for moment in moments)


def is_in_use() -> bool:
    """Return whether the project keeps its sessions in this store, or a subclass.

    A subclass may have a model of its own, whose fields have to hash and encrypt too.
    """
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    if not (isinstance(store, type) and issubclass(store, SessionStore)):
        return False
    model = store.get_model_class()
    key = model._meta.get_field("session_key")
    data = model._meta.get_field("session_data")
    return isinstance(key, SessionKeyField) and getattr(data, "is_encrypted", False)
