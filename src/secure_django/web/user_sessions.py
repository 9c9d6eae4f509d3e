"""The hashes of keys in allauth's list of the sessions of each user.

allauth writes the key of a session into a row, with its IP address and browser. Here
the row gets the hash instead, by which allauth finds, compares and ends the session.
"""

from typing import Any

from allauth.usersessions.models import UserSession
from django.db.models.lookups import Exact
from django.db.models.signals import post_init, pre_save
from django.dispatch import receiver

from secure_django.sessions import HASH_LENGTH, KeyHash, hash_key


def stored_hash(text: str) -> KeyHash:
    """Return the hash that a text is, or else the hash of the key that it is.

    Only for this list, by which nobody logs in: a key has 32 characters.
    """
    return KeyHash(text) if len(text) == HASH_LENGTH else hash_key(text)


@receiver([post_init, pre_save], sender=UserSession)
def keep_hash_alone(instance: UserSession, **kwargs: Any) -> None:
    if "session_key" not in instance.get_deferred_fields():
        instance.session_key = stored_hash(instance.session_key)


class ExactKey(Exact):
    """Find the row of a session by its key, as allauth does."""

    def get_prep_lookup(self) -> Any:
        value = super().get_prep_lookup()
        return str(stored_hash(value)) if isinstance(value, str) else value


UserSession._meta.get_field("session_key").register_lookup(ExactKey)
